/** Errors on their way to a page. */

import type { SentError } from "./bridge.js";
import { SidecarError } from "./errors.js";

/** `error` as it can be sent. */
export function sentError(error: unknown): SentError {
  if (error instanceof SidecarError) return error.toJSON();
  const { name = "Error", message = String(error) } = (error ?? {}) as Partial<Error>;
  return { name, code: null, kind: "error", message, retryable: false, details: {} };
}
