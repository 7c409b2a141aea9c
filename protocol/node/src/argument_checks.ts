/** Checks of what an app passes, in the app's words: the child would refuse it in the wire's. */

import { InvalidParams } from "./errors.js";

/** From `least` to `most`, both included; a whole number if `isWhole`. */
export interface Range {
  readonly least: number;
  readonly most?: number;
  readonly isWhole?: boolean;
}

/**
 * See that `value` is a number in `range`.
 *
 * @throws {InvalidParams} it is not.
 */
export function checkNumber(name: string, value: unknown, range: Range): void {
  const { least, most = Number.MAX_SAFE_INTEGER, isWhole = false } = range;
  const isGood =
    typeof value === "number" &&
    value >= least &&
    value <= most &&
    (!isWhole || Number.isInteger(value));
  if (isGood) return;
  const what = isWhole ? "a whole number" : "a finite number";
  const bounds = range.most === undefined ? `of at least ${least}` : `from ${least} to ${most}`;
  throw new InvalidParams(`${name} must be ${what} ${bounds}, not ${shown(value)}`);
}

/** The same, where it is there at all. */
export function checkOption(name: string, value: unknown, range: Range): void {
  if (value !== undefined) checkNumber(name, value, range);
}

/** A share: above 0 and below 1; where it is there at all. */
export function checkShare(name: string, value: unknown): void {
  if (value === undefined || (typeof value === "number" && value > 0 && value < 1)) return;
  throw new InvalidParams(`${name} must be a number above 0 and below 1, not ${shown(value)}`);
}

/** A word of `words`, where it is there at all. */
export function checkWord(name: string, value: unknown, words: readonly string[]): void {
  if (value === undefined || words.includes(value as string)) return;
  const quoted = words.map((word) => JSON.stringify(word));
  throw new InvalidParams(`${name} must be ${quoted.join(" or ")}, not ${shown(value)}`);
}

/** True or false, where it is there at all. */
export function checkFlag(name: string, value: unknown): void {
  if (value === undefined || typeof value === "boolean") return;
  throw new InvalidParams(`${name} must be true or false, not ${shown(value)}`);
}

/** A text that is not empty. */
export function checkText(name: string, value: unknown): void {
  if (typeof value === "string" && value !== "") return;
  throw new InvalidParams(`${name} must be a text that is not empty, not ${shown(value)}`);
}

/** `value` as a message shows it. */
export function shown(value: unknown): string {
  if (typeof value === "string")
    return value.length > 40 ? "such a long text" : JSON.stringify(value);
  return typeof value === "number" || typeof value === "boolean" || value == null
    ? String(value)
    : typeNameOf(value);
}

/** Not instanceof: what comes from another context (Electron, vm) has other constructors. */
export function typeNameOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}
