// Names as small numbers: each different text once, numbered from 1 in the order of appearance; 0 is the empty text.

export class NameTable {
  private readonly ids = new Map<string, number>();
  private readonly texts: string[] = [""];
  private written = 1;

  idOf(name: string): number {
    if (name === "") return 0;
    let id = this.ids.get(name);
    if (id === undefined) {
      id = this.texts.push(name) - 1;
      this.ids.set(name, id);
    }
    return id;
  }

  nameOf(id: number): string {
    return this.texts[id] ?? "";
  }

  /** Names that came since the last call, in the order of their numbers. */
  takeNew(): string[] {
    const fresh = this.texts.slice(this.written);
    this.written = this.texts.length;
    return fresh;
  }
}
