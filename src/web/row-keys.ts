// Keys in lists: arrows, Home and End move among rows or tabs, Enter and Space choose.

/** For the rows of a table, or the tabs of a list: the elements beside the one with the focus. */
export function moveFocus(event: KeyboardEvent, back: string, on: string): HTMLElement | null {
  const here = event.currentTarget as HTMLElement;
  const all = [...here.parentElement!.children].filter((child): child is HTMLElement => child instanceof HTMLElement);
  const at = all.indexOf(here);
  const to = { [back]: at - 1, [on]: at + 1, Home: 0, End: all.length - 1 }[event.key];
  const next = to === undefined ? undefined : all[to];
  if (to === undefined) return null;
  event.preventDefault();
  event.stopPropagation();
  next?.focus();
  return next ?? null;
}

export const rowKeys = (choose: () => void) => (event: KeyboardEvent) => {
  if (event.target !== event.currentTarget) return;
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    event.stopPropagation();
    choose();
  } else moveFocus(event, "ArrowUp", "ArrowDown");
};

/** In a grid of so many columns: how many cells an arrow key leads on; 0: it is no arrow. The event is used up. */
export function arrowStep(event: KeyboardEvent, columns: number): number {
  const steps: Readonly<Record<string, number>> = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -columns,
    ArrowDown: columns,
  };
  const step = steps[event.key] ?? 0;
  if (step === 0) return 0;
  event.preventDefault();
  event.stopPropagation();
  return step;
}
