// pam-auth-update(8) without running it: the files /etc/pam.d/common-* that every service includes, from the templates in
// /usr/share/pam and the profiles in /usr/share/pam-configs that are on by default.

export const PAM_FILES = ["account", "auth", "password", "session", "session-noninteractive"] as const;
export type PamFile = (typeof PAM_FILES)[number];

interface Profile {
  priority: number;
  isDefault: boolean;
  /** Field names in lower case; a field over several lines keeps their order. */
  fields: Map<string, string[]>;
}

function parseProfile(text: string): Profile {
  const fields = new Map<string, string[]>();
  let current: string[] = [];
  for (const line of text.split("\n")) {
    const field = /^([A-Za-z-]+):\s*(.*)$/.exec(line);
    if (field) {
      current = field[2] === "" ? [] : [field[2]];
      fields.set(field[1].toLowerCase(), current);
    } else if (/^\s+\S/.test(line)) current.push(line.trim());
  }
  const first = (name: string) => fields.get(name)?.[0] ?? "";
  return { priority: Number(first("priority")) || 0, isDefault: first("default") === "yes", fields };
}

/** The module lines of one block; "end" in a control becomes the number of modules to jump over. */
function block(
  profiles: readonly Profile[],
  kind: string,
  type: "Primary" | "Additional",
  noninteractive: boolean,
): string {
  const lines: string[] = [];
  let isFirst = true;
  for (const { fields } of profiles) {
    if ((fields.get(`${kind}-type`)?.[0] ?? "") !== type) continue;
    if (noninteractive && fields.get("session-interactive-only")?.[0] === "yes") continue;
    const initial = isFirst ? fields.get(`${kind}-initial`) : undefined;
    lines.push(...(initial ?? fields.get(kind) ?? []));
    isFirst = false;
  }
  // Nothing to ask first: over the refusal that follows, as for sessions.
  if (lines.length === 0 && type === "Primary") return `${kind}\t[default=1]\t\t\tpam_permit.so`;
  const past = type === "Primary" ? 1 : 0;
  return lines.map((line, i) => `${kind}\t${line.replace(/=end\b/g, `=${lines.length - 1 - i + past}`)}`).join("\n");
}

/** The text of /etc/pam.d/common-FILE. */
export function commonPamFile(file: PamFile, template: string, profileTexts: readonly string[]): string {
  const profiles = profileTexts.map(parseProfile).filter((profile) => profile.isDefault);
  profiles.sort((a, b) => b.priority - a.priority);
  const kind = file === "session-noninteractive" ? "session" : file;
  const text = (type: "Primary" | "Additional") => block(profiles, kind, type, file === "session-noninteractive");
  return template
    .replace(/^\$\w+_primary\n/m, () => withEnd(text("Primary")))
    .replace(/^\$\w+_additional\n/m, () => withEnd(text("Additional")));
}

const withEnd = (text: string) => (text === "" ? "" : `${text}\n`);
