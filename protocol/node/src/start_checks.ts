/** What an app starts a sidecar with, checked before anything is started. */

import { checkNumber, checkText, shown } from "./argument_checks.js";
import { InvalidParams } from "./errors.js";
import type { StartOptions } from "./options.js";

const MILLISECONDS = [
  "healthIntervalMs",
  "healthTimeoutMs",
  "helloTimeoutMs",
  "loadTimeoutMs",
] as const;

/** @throws {InvalidParams} it cannot be meant so. */
export function checkStart(options: StartOptions): void {
  checkText("command", options?.command);
  const { args, restartDelaysMs } = options;
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
