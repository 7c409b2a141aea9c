/** How a child's end is read: from its exit code, and from what it said before. */

import { statSync } from "node:fs";

import type { ChildEnd, Command } from "./child.js";
import { ChildGone, errorFromWire, InternalError, type SidecarError } from "./errors.js";
import type { Failure, Result } from "./messages.js";
import { isMap } from "./payload.js";
import type { Health, State } from "./reports.js";

/** By exit code: a word for programs, and what it means. */
const EXITS: Readonly<Record<number, readonly [kind: string, meaning: string]>> = {
  64: ["usage", "it refused its options"],
  69: ["unavailable", "the model or the device is unavailable"],
  70: ["fault", "an internal or device fault"],
  74: ["output_lost", "its standard output was lost"],
  76: ["protocol_broken", "the frames sent to it were broken"],
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
  private told: SidecarError | null = null;
  private hasServed = false;
  private deviceFailed = false;
  private isAtFaultItself = false;
  private hungAsItLoaded = false;

  constructor(private readonly command: Command) {}

  /** The child's health, each time that it tells it. */
  heardHealth({ state, reason, error }: Pick<Health, "state" | "reason" | "error">): void {
    this.health = { state, reason };
    this.hasServed ||= state === "ready" || state === "degraded";
    if (state === "failed" && error !== undefined) {
      const { code, ...data } = error;
      this.told = errorFromWire({ code, message: reason, data });
    }
  }

  /** It was killed, since it said nothing more of its loading. */
  hangsAsItLoads(): void {
    this.hungAsItLoaded = true;
  }

  /**
   * What it cannot load for, and no child after it; null: another may do better. A fault of its own
   * is none of these: a library that is locked for a moment is one, too.
   */
  get permanentFault(): SidecarError | null {
    const { told } = this;
    const isPermanent = told?.retryable === false && !(told instanceof InternalError);
    return isPermanent && !this.hasServed ? told : null;
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
    if (this.told !== null) return this.told.code === DEVICE_ERROR;
    return this.deviceFailed || (this.health?.state === "failed" && !this.isAtFaultItself);
  }

  /** Why the child ended, in a sentence. */
  reason(end: ChildEnd): string {
    if (end.spawnError !== null) return `${this.command.command} ${whyNot(end, this.command)}`;
    if (end.fault !== null) return end.fault;
    const how =
      end.signal === null
        ? `it ended with exit code ${end.code}${meaning(end.code)}`
        : `it was ended by ${end.signal}`;
    if (this.health?.state === "failed") return `${how}: ${this.health.reason}`;
    return end.lastLines.length === 0 ? how : `${how}; its log ends: ${end.lastLines.join(" | ")}`;
  }

  /** The same in a word. */
  kind(end: ChildEnd): string {
    if (end.spawnError !== null) return "not_started";
    return this.told?.kind ?? EXITS[end.code ?? -1]?.[0] ?? ChildGone.defaultKind;
  }

  /**
   * The error of what no child answers any more: of the class of what it could not load for, if it
   * said that.
   */
  error(end: ChildEnd, message: string): SidecarError {
    const { told } = this;
    if (told === null || this.hasServed) {
      const cause = end.spawnError ?? told;
      return new ChildGone(message, this.kind(end), {}, cause === null ? undefined : { cause });
    }
    const { code, kind, retryable } = told;
    return errorFromWire({ code: code ?? INTERNAL, message, data: { kind, retryable } });
  }
}

/** Whether every further child would end in the same way. */
export function isFinal({ spawnError, code }: ChildEnd): boolean {
  if (spawnError === null) return code === EXIT_USAGE;
  return !PASSING_SPAWN_ERRORS.includes(spawnError.code ?? "");
}

/** The system says the same of a program and of a folder that are not there. */
function whyNot({ spawnError }: ChildEnd, { cwd }: Command): string {
  const error = `could not be started: ${spawnError!.message}`;
  if (cwd === undefined || isFolder(cwd)) return error;
  return `could not be started in the folder ${cwd} (cwd), which is not there`;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function meaning(code: number | null): string {
  const text = EXITS[code ?? -1]?.[1];
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
