/** Errors on their way to a page. */

import type { SentError } from "./bridge.js";
import { SidecarError } from "./errors.js";

/** `error` as it can be sent. */
export function sentError(error: unknown): SentError {
  if (error instanceof SidecarError) {
    const { name, kind, message, retryable, details } = error;
    return { name, kind, message, retryable, details: { ...details } };
  }
  const { name = "Error", message = String(error) } = (error ?? {}) as Partial<Error>;
  return { name, kind: "error", message, retryable: false, details: {} };
}
