// What the colours mean.

interface Entry {
  label: string;
  about: string;
  colour: string;
}

export function Legend({ entries }: { entries: readonly Entry[] }) {
  return (
    <ul class="legend" aria-label="Legend">
      {entries.map(({ label, about, colour }) => (
        <li key={label} title={about}>
          <i style={{ background: colour }} />
          {label}
        </li>
      ))}
    </ul>
  );
}
