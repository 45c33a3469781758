// SPDX-License-Identifier: MIT
/** What `deno doc` says of the interfaces of a file: the pages of docs/ that are made from types take their words from it. */
const root = new URL("../../", import.meta.url);

interface TypeNode {
  readonly kind: string;
  readonly repr?: string;
  readonly value?: unknown;
}

interface Property {
  readonly name: string;
  readonly optional?: boolean;
  readonly jsDoc?: { readonly doc?: string };
  readonly tsType: TypeNode;
}

interface Declaration {
  readonly kind: string;
  readonly jsDoc?: { readonly doc?: string };
  readonly def: { readonly properties?: readonly Property[] };
}

interface Output {
  readonly nodes: Readonly<
    Record<string, { readonly symbols: readonly { name: string; declarations: readonly Declaration[] }[] }>
  >;
}

/** A field of an interface. */
export interface FieldDoc {
  readonly name: string;
  readonly optional: boolean;
  /** As TypeScript has it, for the types that JSON knows. */
  readonly type: string;
  readonly meaning: string;
}

export interface InterfaceDoc {
  readonly meaning: string;
  readonly fields: readonly FieldDoc[];
}

/** The interfaces that `file` (a path below the root) exports, by name. Throws if one of them, or a field, is not documented. */
export function interfaceDocs(file: string): ReadonlyMap<string, InterfaceDoc> {
  const { success, stdout, stderr } = new Deno.Command(Deno.execPath(), {
    args: ["doc", "--json", file],
    cwd: root,
  }).outputSync();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const { nodes }: Output = JSON.parse(new TextDecoder().decode(stdout));
  const found = new Map<string, InterfaceDoc>();
  for (const { symbols } of Object.values(nodes)) {
    for (const { name, declarations } of symbols) {
      const declaration = declarations.find(({ kind }) => kind === "interface");
      if (declaration === undefined) continue;
      const fields = (declaration.def.properties ?? []).map((property) => ({
        name: property.name,
        optional: property.optional === true,
        type: typeText(property.tsType),
        meaning: plain(property.jsDoc?.doc, `${name}.${property.name}`),
      }));
      found.set(name, { meaning: plain(declaration.jsDoc?.doc, name), fields });
    }
  }
  return found;
}

/** A docstring on one line; links are their last word. */
function plain(doc: string | undefined, of: string): string {
  if (doc === undefined) throw new Error(`${of} has no docstring`);
  return doc.replace(/\{@link (?:\w+\.)?(\w+)\}/g, "`$1`").replace(/\s+/g, " ").trim();
}

function typeText({ kind, repr, value }: TypeNode): string {
  if (kind === "union") return (value as TypeNode[]).map(typeText).join(" or ");
  if (kind === "literal") return (value as TypeNode).kind === "string" ? JSON.stringify(repr) : String(repr);
  if (kind === "array") return `array of ${typeText(value as TypeNode)}`;
  return repr ?? kind;
}
