/** What the client tells of its children, beside what they say themselves. */

import type { WireMap } from "./payload";
import type { Health, Progress } from "./reports";

/** A child has ended. */
export interface ExitReport {
  readonly pid: number | null;
  /** Null if a signal ended it, or if it could not be started. */
  readonly code: number | null;
  readonly signal: string | null;
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

/** The events and what their listeners are given. */
export interface SidecarEvents {
  health: [health: Health];
  progress: [progress: Progress];
  exit: [exit: ExitReport];
  restart: [restart: RestartReport];
  log: [line: LogLine];
}

/** Whom the supervisor tells all that. */
export interface SupervisorListener {
  onHealth(health: Health): void;
  onProgress(progress: Progress): void;
  onExit(exit: ExitReport): void;
  onRestart(restart: RestartReport): void;
  onLog(line: LogLine): void;
  /** Something of a stream. */
  onStream(method: string, params: WireMap): void;
}
