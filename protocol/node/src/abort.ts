/** One listener on a signal, however many calls share it: more would look like a leak. */

import { Cancelled } from "./errors.js";

const callbacksOf = new WeakMap<AbortSignal, Set<() => void>>();

/** Call `callback` when `signal` is aborted; what is returned takes that back. */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const callbacks = callbacksOf.get(signal) ?? listenTo(signal);
  callbacks.add(callback);
  return () => callbacks.delete(callback);
}

/** The error of `what` when `signal` was aborted. */
export function cancelledBy(signal: AbortSignal, what: string): Cancelled {
  const reason: unknown = signal.reason;
  const text = reason instanceof Error ? reason.message : String(reason);
  return new Cancelled(`${what} was aborted: ${text}`, undefined, {}, { cause: reason });
}

function listenTo(signal: AbortSignal): Set<() => void> {
  const callbacks = new Set<() => void>();
  callbacksOf.set(signal, callbacks);
  signal.addEventListener("abort", () => callbacks.forEach((callback) => callback()), {
    once: true,
  });
  return callbacks;
}
