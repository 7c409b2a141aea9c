/** What a supervisor takes, and the small parts of its work. */

import type { Child, ChildEnd, ChildListener, Command } from "./child.js";
import type { ChildTimeouts } from "./child_watch.js";
import type { Clock } from "./clock.js";
import { Closed, ProtocolMismatch } from "./errors.js";
import { PROTOCOL } from "./messages.js";
import type { StartOptions } from "./options.js";
import type { Hello } from "./reports.js";

/** Durations in milliseconds; `startChild` and `clock` are others in tests. */
export interface SupervisorOptions extends Command, ChildTimeouts {
  readonly restartDelaysMs: readonly number[];
  readonly maxPending: number;
  readonly maxPendingBytes: number;
  readonly onExit?: StartOptions["onExit"];
  readonly onStateChange?: StartOptions["onStateChange"];
  readonly clock: Clock;
  readonly startChild: (command: Command, clock: Clock, listener: ChildListener) => ChildHandle;
}

/** What is needed of a child here. */
export type ChildHandle = Pick<
  Child,
  "pid" | "isWritable" | "bufferedBytes" | "write" | "end" | "kill" | "unref"
>;

/** Those who wait for a child's hello. */
export class Arrivals {
  private waiting: { resolve(): void; reject(error: Error): void }[] = [];

  /** Resolves at the next hello. */
  next(): Promise<void> {
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  arrived(): void {
    this.waiting.splice(0).forEach(({ resolve }) => resolve());
  }

  failed(error: Error): void {
    this.waiting.splice(0).forEach(({ reject }) => reject(error));
  }
}

export function closedError(): Closed {
  return new Closed("the sidecar was closed: start another one, or `restart` this one");
}

/** The child speaks another protocol; null: it speaks ours. */
export function mismatchOf({ name, version, protocol }: Hello): ProtocolMismatch | null {
  if (protocol === PROTOCOL) return null;
  return new ProtocolMismatch(
    `the child (${name} ${version}) speaks protocol ${protocol}, this package speaks ` +
      `${PROTOCOL}: install versions of the two that belong together`,
  );
}

/** The end of a child that spawn refused at once. */
export function notStarted(spawnError: Error): ChildEnd {
  return { pid: null, code: null, signal: null, fault: null, spawnError, lastLines: [] };
}
