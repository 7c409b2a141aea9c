/** One call of the app: a request with its deadline, its signal, and the place it was made at. */

import { cancelledBy, onAbort } from "./abort.js";
import { checkNumber, shown } from "./argument_checks.js";
import { SYSTEM_CLOCK } from "./clock.js";
import { DeadlineExceeded, InvalidParams } from "./errors.js";
import type { Method } from "./messages.js";
import type { LongCallOptions } from "./options.js";
import type { WireMap } from "./payload.js";
import type { RequestOptions } from "./request.js";
import { atCallSite, callSite } from "./sidecar_error.js";
import type { Supervisor } from "./supervisor.js";

/**
 * Ask for `method`; what the child answers, as it was on the wire. A rejection has the stack of the
 * app's call, not that of the pipe which brought it.
 */
export async function call(
  supervisor: Supervisor,
  method: Method,
  params: WireMap,
  requestOptions: RequestOptions,
  { signal, deadlineMs, onProgress }: LongCallOptions,
): Promise<WireMap> {
  const site = callSite(call);
  checkSignal(signal);
  if (deadlineMs !== undefined) checkNumber("deadlineMs", deadlineMs, { least: 0 });
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw new InvalidParams(`onProgress must be a function, not ${shown(onProgress)}`);
  }
  if (signal?.aborted === true) throw cancelledBy(signal, "the call");
  try {
    const request = supervisor.submit(method, params, { ...requestOptions, onProgress });
    const withdraw = (error: Error) => supervisor.withdraw(request, error);
    const forgetAbort = signal && onAbort(signal, () => withdraw(cancelledBy(signal, "the call")));
    const timer =
      deadlineMs === undefined
        ? null
        : SYSTEM_CLOCK.setTimer(() => {
            withdraw(new DeadlineExceeded(`it was not finished within ${deadlineMs} ms`));
          }, deadlineMs);
    try {
      return await request.answer;
    } finally {
      forgetAbort?.();
      timer?.cancel();
    }
  } catch (error) {
    throw atCallSite(error, site);
  }
}

/** @throws {InvalidParams} it is there, and none. */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal === undefined || typeof signal.addEventListener === "function") return;
  throw new InvalidParams("signal must be an AbortSignal, such as an AbortController's `signal`");
}
