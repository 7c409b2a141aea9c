/** What an app asks of a live stream, and what it is told. Units stand in names. */

import type { DiarizeOptions } from "./options.js";
import type { PersonName } from "./people_reports.js";

/** Somebody whom an earlier stream knew: `{...speaker, fingerprint}` of its result, for example. */
export interface KnownSpeaker {
  /** What they are called in the new stream, too. */
  readonly label: string;
  readonly embedding: Float32Array;
  readonly fingerprint: string;
  readonly speechS: number;
}

/** Options of `live`. */
export interface LiveOptions {
  /** 8,000 to 192,000. */
  readonly sampleRateHz: number;
  /** What `push` takes: floats of full scale 1.0, or 16-bit integers. Default: `f32le`. */
  readonly encoding?: "f32le" | "s16le" | undefined;
  /** Interleaved, 1 to 64. Default: 1. */
  readonly channels?: number | undefined;
  /** One channel, counted from 0, or the mean of all. Default: "mix". */
  readonly channel?: number | "mix" | undefined;
  /** Ask the gallery who the speakers are. Default: false. */
  readonly identify?: boolean | undefined;
  /** `levels`: tell also how loud it is. Default: `turns`. */
  readonly detail?: "turns" | "levels" | undefined;
  /** The time of the first sample; all times count from there. Default: 0. */
  readonly startS?: number | undefined;
  /** Who is known from a stream before this one. */
  readonly speakers?: readonly KnownSpeaker[] | undefined;
  /** `push` refuses what would make more than this wait for the child. Default: 60 s. */
  readonly maxWaitingS?: number | undefined;
  /** Its abort ends the stream, with `Cancelled` and without a result. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of a stream's `close`; of how many speakers there are as for `diarize`. */
export type LiveCloseOptions = Omit<DiarizeOptions, "identify" | "onProgress">;

/** Somebody speaks: what is known of it now. One that is final and has a speaker has a voice, too. */
export type LiveTurn = VoicelessTurn | VoicedTurn;

/** Where and who. */
export interface AnyTurn {
  /** Counted from 0; what is told of a turn later replaces what was told before. */
  readonly turn: number;
  readonly startS: number;
  /** Null while it lasts. */
  readonly endS: number | null;
  /** It changes no more. */
  readonly final: boolean;
  /**
   * A label such as `S1`; one that a final turn has had means that person to the end. Null: not
   * known yet, or, of a final turn, too little to tell, or nobody after all (then `endS` is
   * `startS`).
   */
  readonly speaker: string | null;
  /**
   * Who of the gallery it is; it may be known before the label is. Absent: nobody, or it was not
   * asked (`identify`).
   */
  readonly person?: PersonName;
  /** Of that person, as `people.identify` tells them. */
  readonly llr?: number;
  readonly probability?: number;
}

/** A turn that goes on, or of which it is not known whose it is. */
export interface VoicelessTurn extends AnyTurn {
  readonly embedding?: undefined;
  readonly fingerprint?: undefined;
  readonly speechS?: undefined;
}

/** A final turn with a speaker, and the voice of all that they have said so far: it can be enrolled. */
export interface VoicedTurn extends AnyTurn {
  readonly embedding: Float32Array;
  readonly fingerprint: string;
  readonly speechS: number;
}

/** How loud it was. */
export interface LiveLevel {
  readonly startS: number;
  readonly endS: number;
  /** A square wave of full scale has 0; absent: all samples are 0. */
  readonly rmsDbfs?: number;
  readonly peakDbfs?: number;
  /** How probable speech was, at most, 0 to 1; absent: nobody listens for that. */
  readonly speech?: number;
}

/** Hearing is late: `bufferedS` wait to be heard. Told above 5 s, and again below 1 s. */
export interface LiveLag {
  readonly bufferedS: number;
}

/** The child ended, and another one goes on. */
export interface LiveRestart {
  /** Why the one before ended. */
  readonly reason: string;
  /** From where on it is heard again. */
  readonly startS: number;
  /** How much of what was pushed is heard again. */
  readonly againS: number;
  /**
   * Whether the same model serves. If not, nobody is recognised across the two: who speaks from
   * here on has a new label.
   */
  readonly sameModel: boolean;
  /** The labels of those who are known to the new child. */
  readonly speakers: readonly string[];
}

/** The events of a live stream. */
export interface LiveEvents {
  turn: [turn: LiveTurn];
  level: [level: LiveLevel];
  lag: [lag: LiveLag];
  restarted: [restart: LiveRestart];
  /** The stream ended with it; so does `close`, and so do iterators. */
  error: [error: Error];
}
