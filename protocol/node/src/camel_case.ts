/** The wire's names in JavaScript's spelling: `duration_s` is `durationS`. */

// Maps whose keys are data, not names of fields.
const MAPS_OF_DATA = new Set(["outcomes", "batch_sizes"]);

/** `value` with the keys of every map in it in camelCase; bins and scalars stay as they are. */
export function camelCased(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelCased);
  if (value === null || typeof value !== "object" || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      camelCasedName(key),
      MAPS_OF_DATA.has(key) ? inner : camelCased(inner),
    ]),
  );
}

/** `duration_s` as `durationS`. */
export function camelCasedName(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
