/** What an app may ask for beside what a call is about. Durations are milliseconds. */

import type { Command } from "./child.js";
import type { ExitDecision, ExitReport, SidecarState } from "./events.js";
import type { OnProgress } from "./request.js";

/** How a sidecar is started. */
export interface StartOptions extends Command {
  /** Before the first restart, the second ...; the last one repeats. Default: 0, 1, 5, 15 s. */
  readonly restartDelaysMs?: readonly number[] | undefined;
  /** How often a child that serves is asked for its health. Default: 5,000. */
  readonly healthIntervalMs?: number | undefined;
  /** A child that does not answer it within this is replaced. Default: 10,000. */
  readonly healthTimeoutMs?: number | undefined;
  /** A child that does not say hello within this is replaced. Default: 60,000. */
  readonly helloTimeoutMs?: number | undefined;
  /** One that loads, and tells of no progress for so long, is replaced. Default: 300,000. */
  readonly loadTimeoutMs?: number | undefined;
  /** Requests without an answer, at most; more are refused as `Overloaded`. Default: 4,096. */
  readonly maxPending?: number | undefined;
  /** Bytes of their frames, at most. Default: 256 MiB. */
  readonly maxPendingBytes?: number | undefined;
  /** Its abort before the hello ends the child and rejects `start` with `Cancelled`. */
  readonly signal?: AbortSignal | undefined;
  /** Told each new state, from `starting` on; the event `state` tells the same. */
  readonly onStateChange?: ((state: SidecarState) => void) | undefined;
  /**
   * Decides what follows a child's end that nobody asked for. `exit.willRestart` is what follows if
   * it returns nothing. `restart` overrides even the end of all tries, `stop` any further one.
   */
  readonly onExit?: ((exit: ExitReport) => ExitDecision | void) | undefined;
}

/** Options of every call. */
export interface CallOptions {
  /** Its abort rejects the call with `Cancelled`. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds from the call on, waiting and restarts included; then `DeadlineExceeded`. */
  readonly deadlineMs?: number | undefined;
}

/**
 * What of an audio is embedded: its speech alone, all of it, or all of it if it has enough speech.
 * With `auto` and `require`, less than 0.5 s of speech is `BadAudio` of the kind `no_speech`.
 */
export type SpeechUse = "auto" | "all" | "require";

/** Options of the calls that use some or all of an audio. */
export interface SpeechOptions extends CallOptions {
  /** Default: `all` of `embed`, `embedBatch` and `score`; `auto` of what `people` does. */
  readonly speech?: SpeechUse | undefined;
}

/** Options of `embed`. */
export interface EmbedOptions extends SpeechOptions {
  /** Whether to divide each embedding by its Euclidean norm. Default: true. */
  readonly normalize?: boolean | undefined;
}

/** Options of the calls that take long. */
export interface LongCallOptions extends CallOptions {
  /**
   * Told how far the call is: up to four times a second, never after it settled, and from the
   * beginning again if a child died and the next one has the request. What it throws is thrown as
   * from a listener.
   */
  readonly onProgress?: OnProgress | undefined;
}

/** Options of the calls that give many embeddings. */
export interface EmbedManyOptions extends LongCallOptions, Omit<EmbedOptions, "speech"> {}

/** Options of `embedBatch`. */
export interface EmbedBatchOptions extends EmbedManyOptions, SpeechOptions {}

/** Options of `embedWindows`. */
export interface EmbedWindowsOptions extends EmbedManyOptions {
  readonly windowS: number;
  readonly hopS: number;
}

/** Options of `diarize`. Of how many speakers there are, `nSpeakers` or the other two; 1 to 100. */
export interface DiarizeOptions extends LongCallOptions {
  readonly nSpeakers?: number | undefined;
  readonly minSpeakers?: number | undefined;
  readonly maxSpeakers?: number | undefined;
  /** Ask the gallery who each of them is. Default: false. */
  readonly identify?: boolean | undefined;
  /** One speaks at a time, as transcripts want it. Default: false. */
  readonly exclusive?: boolean | undefined;
}

/** Options of the calls that tell how sure they are. At most one of `far` and `prior`. */
export interface ScoreOptions extends SpeechOptions {
  /** The share of strangers that may be accepted, above 0 and below 1. Default: 0.01. */
  readonly far?: number | undefined;
  /** How probable it is that it is the same person, before anything is heard; above 0, below 1. */
  readonly prior?: number | undefined;
}

/** Options of `people.identify`. */
export interface IdentifyOptions extends ScoreOptions {
  /** How many matches are told, 1 to 1,000. Default: 5. */
  readonly top?: number | undefined;
  /** Let the person's voice age: add an audio that is surely theirs. Default: false. */
  readonly adapt?: boolean | undefined;
}
