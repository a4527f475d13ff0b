// Parses package relationship fields (Depends, Provides, Conflicts, ...: Debian policy 7.1) into groups of alternatives.
import type { VersionOperator } from "./version.ts";

export interface Relation {
  name: string;
  /** What follows ":" in the name ("any", "native", an architecture), or "". */
  qualifier: string;
  operator: VersionOperator | null;
  /** Empty without an operator. */
  version: string;
}

/** One element of a field: any of these satisfies it. */
export type RelationGroup = readonly Relation[];

const RELATION =
  /^([a-z0-9][a-z0-9+.-]*)(?::([a-z0-9-]+))?\s*(?:\(\s*(<<|<=|=|>=|>>|<|>)\s*([^)\s]+)\s*\))?\s*(?:\[([^\]]*)\])?\s*(?:<[^>]*>\s*)*$/i;

/** Parses a field value; alternatives that do not apply to `architecture` vanish, unparsable ones too. */
export function parseRelations(field: string | undefined, architecture: string): RelationGroup[] {
  const groups: RelationGroup[] = [];
  if (field === undefined) return groups;
  for (const element of field.replaceAll("\n", " ").split(",")) {
    const group: Relation[] = [];
    for (const alternative of element.split("|")) {
      const match = RELATION.exec(alternative.trim());
      if (!match) continue;
      const [, name, qualifier = "", operator, version = "", architectures] = match;
      if (architectures !== undefined && !appliesTo(architectures, architecture)) continue;
      // "<" and ">" are the obsolete spellings of "<=" and ">=" (policy 7.1).
      const modern = operator === "<" ? "<=" : operator === ">" ? ">=" : operator;
      group.push({ name: name.toLowerCase(), qualifier, operator: (modern as VersionOperator) ?? null, version });
    }
    if (group.length > 0) groups.push(group);
  }
  return groups;
}

function appliesTo(list: string, architecture: string): boolean {
  const words = list.trim().split(/\s+/);
  const negated = words[0]?.startsWith("!");
  const named = words.some((word) => matches(word.replace(/^!/, ""), architecture));
  return negated ? !named : named;
}

function matches(pattern: string, architecture: string): boolean {
  return pattern === architecture || pattern === "any" || pattern === "linux-any" || pattern === `any-${architecture}`;
}

export function formatRelation(relation: Relation): string {
  return relation.operator === null ? relation.name : `${relation.name} (${relation.operator} ${relation.version})`;
}

export function formatGroup(group: RelationGroup): string {
  return group.map(formatRelation).join(" | ");
}
