/** How a child's end is read: from its exit code, and from the answers that it gave before. */

import type { ChildEnd } from "./child";
import type { Failure, Result } from "./messages";
import { isMap } from "./payload";
import type { State } from "./reports";

const EXIT_MEANINGS: Readonly<Record<number, string>> = {
  64: "it refused its options",
  69: "the model or the device is unavailable",
  70: "an internal or device fault",
  74: "its standard output was lost",
  76: "the frames sent to it were broken",
};
// The system has no room for another process, or the program is just being written: that passes.
const PASSING_SPAWN_ERRORS = ["EAGAIN", "EBUSY", "EMFILE", "ENFILE", "ENOMEM", "ETXTBSY"];
const EXIT_USAGE = 64;
const EXIT_SOFTWARE = 70;

const INTERNAL = -32603;
const DRAINING = -32003;
const CANCELLED = -32800;
const MODEL_UNAVAILABLE = -32011;
const DEVICE_ERROR = -32020;

/** What one child said of its own end. */
export class LastWords {
  private health: { readonly state: State; readonly reason: string } | null = null;
  private deviceFailed = false;
  private isAtFaultItself = false;
  private hungAsItLoaded = false;

  constructor(private readonly command: string) {}

  /** The child's health, each time that it tells it. */
  heardHealth(state: State, reason: string): void {
    this.health = { state, reason };
  }

  /** It was killed, since it said nothing more of its loading. */
  hangsAsItLoads(): void {
    this.hungAsItLoaded = true;
  }

  /**
   * Whether `answer` says no more than that the child ends, so that its successor is to be asked.
   *
   * `wasWithdrawn`: the request was cancelled by us.
   */
  isNoAnswer(answer: Result | Failure, wasWithdrawn: boolean): boolean {
    const codes = codesIn(answer);
    this.deviceFailed ||= codes.includes(DEVICE_ERROR);
    const isEnding = this.health?.state === "failed" || this.health?.state === "draining";
    this.isAtFaultItself ||= isEnding && codes.includes(INTERNAL);
    return codes.some(
      (code) =>
        code === DEVICE_ERROR ||
        code === DRAINING ||
        (code === CANCELLED && !wasWithdrawn) ||
        (isEnding && (code === MODEL_UNAVAILABLE || code === INTERNAL)),
    );
  }

  /** Whether the device was at fault, so that another might do better. */
  isDeviceFault(end: ChildEnd): boolean {
    // What a load waits for without a limit of its own is the device's driver.
    if (this.hungAsItLoaded) return true;
    if (end.code !== EXIT_SOFTWARE) return false;
    return this.deviceFailed || (this.health?.state === "failed" && !this.isAtFaultItself);
  }

  /** Why the child ended, in a sentence. */
  reason(end: ChildEnd): string {
    if (end.spawnError !== null) {
      return `${this.command} could not be started: ${end.spawnError.message}`;
    }
    if (end.fault !== null) return end.fault;
    const how =
      end.signal === null
        ? `it ended with exit code ${end.code}${meaning(end.code)}`
        : `it was ended by ${end.signal}`;
    if (this.health?.state === "failed") return `${how}: ${this.health.reason}`;
    return end.lastLines.length === 0 ? how : `${how}; its log ends: ${end.lastLines.join(" | ")}`;
  }
}

/** Whether every further child would end in the same way. */
export function isFinal({ spawnError, code }: ChildEnd): boolean {
  if (spawnError === null) return code === EXIT_USAGE;
  return !PASSING_SPAWN_ERRORS.includes(spawnError.code ?? "");
}

function meaning(code: number | null): string {
  const text = EXIT_MEANINGS[code ?? -1];
  return text === undefined ? "" : ` (${text})`;
}

/** The codes of the errors in an answer, a batch's items counted. */
function codesIn(answer: Result | Failure): unknown[] {
  if (answer.type === "failure") return [answer.error.code];
  const { results } = answer.result;
  if (!Array.isArray(results)) return [];
  return results.flatMap((item: unknown) =>
    isMap(item) && isMap(item.error) ? [item.error.code] : [],
  );
}
