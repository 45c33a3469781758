// SPDX-License-Identifier: MIT
/**
 * Keys of a YAML document that are no keys of a configuration: `<<`, which merges other maps into its own, and `x-` keys, which hold
 * what is used elsewhere by an alias. (https://yaml.org/type/merge.html; YAML 1.2 leaves merging to the application.)
 */

/** The key that merges a map, or the maps of a list, into its own map. */
export const MERGE = "<<";

type Values = Record<string, unknown>;

/**
 * A copy of the value of a document, with merged maps and without `x-` keys. A map's own keys count more than merged ones, earlier
 * maps of a list more than later ones. A domain may be called `x-...`. A `<<` whose value is no map stays.
 */
export function withoutYamlKeys(value: unknown): unknown {
  // An alias gives the same object again: each is copied once, or a few lines of aliases would take for ever.
  const done = new Map<object, unknown>();
  const copy = (value: unknown, isOfDomains: boolean): unknown => {
    if (typeof value !== "object" || value === null) return value;
    const known = done.get(value);
    if (known !== undefined) return known;
    if (Array.isArray(value)) {
      const items: unknown[] = [];
      done.set(value, items);
      for (const item of value) items.push(copy(item, false));
      return items;
    }
    const map: Values = {};
    done.set(value, map);
    const sources = mergedInto(value as Values);
    for (const source of sources?.toReversed() ?? []) {
      for (const [key, theirs] of Object.entries(copy(source, isOfDomains) as Values)) put(map, key, theirs);
    }
    for (const [key, own] of Object.entries(value)) {
      const isMerge = key === MERGE && sources !== undefined;
      if (isMerge || !isOfDomains && key.startsWith("x-")) continue;
      put(map, key, copy(own, key === "domains"));
    }
    return map;
  };
  return copy(value, false);
}

/** Sets a key of any name: an assignment to `__proto__` would be lost, and nobody would be told of that key. */
function put(map: Values, key: string, value: unknown): void {
  Object.defineProperty(map, key, { value, enumerable: true, writable: true, configurable: true });
}

/** The maps that `map` merges, the most important one first; undefined if it merges none, or what is no map. */
function mergedInto(map: Values): Values[] | undefined {
  if (!Object.hasOwn(map, MERGE)) return undefined;
  const merged = map[MERGE];
  const sources = Array.isArray(merged) ? merged : [merged];
  return sources.every(isMap) ? sources : undefined;
}

function isMap(value: unknown): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
