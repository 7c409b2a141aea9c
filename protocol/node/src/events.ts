/** What the client tells of its children, beside what they say themselves. */

import type { WireMap } from "./payload.js";
import type { Health, Progress } from "./reports.js";

/**
 * What a sidecar is doing: it waits for the child's hello (`starting`), for its model (`loading`),
 * or for the next child (`restarting`); it serves as asked (`ready`) or otherwise (`degraded`); it
 * was given up (`failed`: `restart` tries again); it ends (`closing`) or has ended (`closed`).
 */
export type SidecarState =
  "starting" | "loading" | "ready" | "degraded" | "restarting" | "failed" | "closing" | "closed";

/** A child has ended. */
export interface ExitReport {
  readonly pid: number | null;
  /** Null if a signal ended it, or if it could not be started. */
  readonly code: number | null;
  readonly signal: string | null;
  /**
   * Why, in a word for programs: what the child said of its fault (`unknown_model`, `device_error`
   * ...), or what its exit code means (`usage`, `unavailable` ...), or `child_gone`.
   */
  readonly kind: string;
  /** Why, in words for people. */
  readonly reason: string;
  /** False: it was closed, or given up. */
  readonly willRestart: boolean;
}

/** Another child is about to be started. */
export interface RestartReport {
  /** Why the one before ended. */
  readonly reason: string;
  readonly delayMs: number;
  /** `cpu` after two device faults in a row; null: as the arguments say. */
  readonly device: "cpu" | null;
}

/** A line of the child's log, or of the client's own. */
export interface LogLine {
  readonly source: "child" | "client";
  readonly text: string;
}

/** What follows a child's end; undefined: what `willRestart` says. */
export type ExitDecision = "restart" | "stop" | undefined;

/** The events and what their listeners are given. */
export interface SidecarEvents {
  state: [state: SidecarState];
  health: [health: Health];
  progress: [progress: Progress];
  exit: [exit: ExitReport];
  restart: [restart: RestartReport];
  log: [line: LogLine];
}

/** Whom the supervisor tells all that. */
export interface SupervisorListener {
  onState(state: SidecarState): void;
  onHealth(health: Health): void;
  onProgress(progress: Progress): void;
  onExit(exit: ExitReport): void;
  onRestart(restart: RestartReport): void;
  onLog(line: LogLine): void;
  /** Something of a stream. */
  onStream(method: string, params: WireMap): void;
}
