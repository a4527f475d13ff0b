// Parses and prints Debian control data (deb822(5)): paragraphs of "Field: value" with continuation lines. No field meanings.

/** Field lookups ignore case, as deb822 demands; iteration keeps the order and spelling of the source. */
export class ControlParagraph {
  private readonly fields = new Map<string, { name: string; value: string }>();

  get(name: string): string | undefined {
    return this.fields.get(name.toLowerCase())?.value;
  }

  has(name: string): boolean {
    return this.fields.has(name.toLowerCase());
  }

  set(name: string, value: string): void {
    this.fields.set(name.toLowerCase(), { name, value });
  }

  delete(name: string): void {
    this.fields.delete(name.toLowerCase());
  }

  *entries(): IterableIterator<[name: string, value: string]> {
    for (const { name, value } of this.fields.values()) yield [name, value];
  }

  /** The paragraph as text, ending with one newline and no blank line. */
  toString(): string {
    let text = "";
    for (const { name, value } of this.fields.values()) {
      // Continuation lines keep their leading blank inside the value, so the value prints as it was read.
      text += value === "" || value.startsWith("\n") ? `${name}:${value}\n` : `${name}: ${value}\n`;
    }
    return text;
  }
}

/**
 * All paragraphs of a control text. A value keeps its continuation lines with "\n" and their first blank. Lines that fit
 * nowhere are skipped: indexes in the wild contain them and nothing here depends on them.
 */
export function parseControl(text: string): ControlParagraph[] {
  const paragraphs: ControlParagraph[] = [];
  let paragraph: ControlParagraph | null = null;
  let field: string | null = null;
  let value = "";
  const flushField = () => {
    if (field !== null && paragraph !== null) paragraph.set(field, value);
    field = null;
  };
  for (const line of text.split("\n")) {
    if (line === "" || line === "\r" || /^\s+$/.test(line)) {
      flushField();
      paragraph = null;
    } else if (line[0] === "#") {
      // A comment: allowed in apt's .sources files, never ends a field.
    } else if (line[0] === " " || line[0] === "\t") {
      if (field !== null) value += `\n${line.trimEnd()}`;
    } else {
      flushField();
      const colon = line.indexOf(":");
      if (colon <= 0) continue;
      if (paragraph === null) {
        paragraph = new ControlParagraph();
        paragraphs.push(paragraph);
      }
      field = line.slice(0, colon);
      value = line.slice(colon + 1).trim();
    }
  }
  flushField();
  return paragraphs;
}
