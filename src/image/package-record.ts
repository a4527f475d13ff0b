// What dependency resolution needs to know of one package version, wherever it comes from (index, .deb, dpkg status).
import type { ControlParagraph } from "./control.ts";
import { parseRelations, type Relation, type RelationGroup } from "./relations.ts";

export interface PackageRecord {
  name: string;
  version: string;
  /** "riscv64" or "all". */
  architecture: string;
  preDepends: readonly RelationGroup[];
  depends: readonly RelationGroup[];
  recommends: readonly RelationGroup[];
  conflicts: readonly Relation[];
  breaks: readonly Relation[];
  provides: readonly Relation[];
  replaces: readonly Relation[];
  essential: boolean;
  /** required, important, standard, optional, extra: how Debian ranks it; decides between providers. */
  priority: string;
  /** Where the .deb lies below the mirror, its SHA-256 (hex) and size; empty and 0 for packages that are installed only. */
  poolPath: string;
  sha256: string;
  sizeBytes: number;
}

const single = (groups: readonly RelationGroup[]): Relation[] => groups.map((group) => group[0]);

/** Null when the paragraph lacks Package or Version, or is for another architecture. */
export function packageFromControl(fields: ControlParagraph, architecture: string): PackageRecord | null {
  const name = fields.get("Package");
  const version = fields.get("Version");
  const own = fields.get("Architecture") ?? "all";
  if (!name || !version || (own !== architecture && own !== "all")) return null;
  const relations = (field: string) => parseRelations(fields.get(field), architecture);
  return {
    name,
    version,
    architecture: own,
    preDepends: relations("Pre-Depends"),
    depends: relations("Depends"),
    recommends: relations("Recommends"),
    conflicts: single(relations("Conflicts")),
    breaks: single(relations("Breaks")),
    provides: single(relations("Provides")),
    replaces: single(relations("Replaces")),
    essential: fields.get("Essential") === "yes",
    priority: fields.get("Priority") ?? "optional",
    poolPath: fields.get("Filename") ?? "",
    sha256: (fields.get("SHA256") ?? "").toLowerCase(),
    sizeBytes: Number(fields.get("Size") ?? 0),
  };
}
