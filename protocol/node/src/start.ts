/** What an app starts a sidecar with, checked and completed; and the start itself. */

import { cancelledBy, onAbort } from "./abort.js";
import { checkNumber, checkText, shown } from "./argument_checks.js";
import { checkSignal } from "./calls.js";
import { Child } from "./child.js";
import { SYSTEM_CLOCK } from "./clock.js";
import { InvalidParams } from "./errors.js";
import type { StartOptions } from "./options.js";
import { RESTART_DELAYS_MS } from "./restart_policy.js";
import type { Supervisor } from "./supervisor.js";
import type { SupervisorOptions } from "./supervision.js";

const DEFAULTS = {
  restartDelaysMs: RESTART_DELAYS_MS,
  healthIntervalMs: 5_000,
  healthTimeoutMs: 10_000,
  helloTimeoutMs: 60_000,
  loadTimeoutMs: 300_000,
  maxPending: 4_096,
  maxPendingBytes: 256 * 2 ** 20,
} as const;

const MILLISECONDS = [
  "healthIntervalMs",
  "healthTimeoutMs",
  "helloTimeoutMs",
  "loadTimeoutMs",
] as const;

/**
 * What a supervisor takes, for a process and real time.
 *
 * @throws {InvalidParams} the app cannot mean it so.
 */
export function supervisorOptions(options: StartOptions): SupervisorOptions {
  check(options);
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return {
    ...DEFAULTS,
    ...(Object.fromEntries(given) as unknown as StartOptions),
    clock: SYSTEM_CLOCK,
    startChild: (...child) => new Child(...child),
  } as SupervisorOptions;
}

/**
 * Start the first child; resolves at its hello.
 *
 * @throws {Cancelled} `signal` was aborted before that; the child ends.
 */
export async function startUnlessAborted(
  supervisor: Supervisor,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (signal === undefined) return supervisor.start();
  if (signal.aborted) throw cancelledBy(signal, "the start");
  let wasAborted = false;
  const forgetAbort = onAbort(signal, () => {
    wasAborted = true;
    void supervisor.close(0);
  });
  try {
    await supervisor.start();
  } catch (error) {
    throw wasAborted ? cancelledBy(signal, "the start") : error;
  } finally {
    forgetAbort();
  }
}

function check(options: StartOptions): void {
  checkText("command", options?.command);
  const { args, restartDelaysMs, signal } = options;
  checkSignal(signal);
  if (!Array.isArray(args) || args.some((word) => typeof word !== "string")) {
    throw new InvalidParams(`args must be an array of texts, not ${shown(args)}`);
  }
  for (const name of MILLISECONDS) {
    if (options[name] !== undefined) checkNumber(name, options[name], { least: 0 });
  }
  if (restartDelaysMs !== undefined) {
    restartDelaysMs.forEach((delayMs, index) =>
      checkNumber(`restartDelaysMs[${index}]`, delayMs, { least: 0 }),
    );
  }
  for (const name of ["onStateChange", "onExit"] as const) {
    const callback: unknown = options[name];
    if (callback === undefined || typeof callback === "function") continue;
    throw new InvalidParams(`${name} must be a function, not ${shown(callback)}`);
  }
}
