/** Errors that were sent somewhere as plain data or as text, made errors again. */

import { OF_THE_CLIENT, OF_THE_WIRE, type SidecarError } from "./errors.js";
import { SidecarError as AnyError, type ErrorReport } from "./sidecar_error.js";

const CLASSES = [...OF_THE_WIRE, ...OF_THE_CLIENT];
// What `toString` of an error gives, alone or behind Electron's "Error invoking remote method".
const TEXT = new RegExp(
  `(?:^|: )(${CLASSES.map(({ errorName }) => errorName).join("|")})(?: \\[(\\w+)\\])?: ([^]*)$`,
);

/**
 * The error that `value` is, or was before it was sent: what `toJSON` gave, a structured clone, or
 * what a page gets of it from Electron's `ipcRenderer.invoke`. The last two have kept the class,
 * kind and message. Null: it is none of this package's.
 */
export function restoreError(value: unknown): SidecarError | null {
  if (value instanceof AnyError) return value;
  if (typeof value !== "object" || value === null) return null;
  if (isReport(value)) return fromReport(value);
  const { message, stack } = value as { message?: unknown; stack?: unknown };
  if (typeof message !== "string") return null;
  return fromText(message) ?? fromStack(String(stack), message);
}

function isReport(value: object): value is ErrorReport {
  const { name, kind, message } = value as Partial<ErrorReport>;
  return [name, kind, message].every((part) => typeof part === "string");
}

function fromReport({ name, code, kind, message, retryable, details }: ErrorReport) {
  const named = classOf(name);
  if (named === undefined) return null;
  return Object.assign(new named(message, kind, { ...details }), { code, retryable });
}

function fromText(text: string): SidecarError | null {
  const [, name, kind, message] = TEXT.exec(text) ?? [];
  const named = classOf(name);
  return named === undefined ? null : new named(message ?? "", kind);
}

/** A clone's stack begins with the text of its error. */
function fromStack(stack: string, message: string): SidecarError | null {
  const [head] = stack.split(`: ${message}`);
  return head === undefined || head === stack ? null : fromText(`${head}: ${message}`);
}

function classOf(name: string | undefined) {
  return CLASSES.find(({ errorName }) => errorName === name);
}
