/** What `diarize` tells: who speaks when. Units stand in names. */

import type { PersonName } from "./people_reports.js";
import type { AudioWarning } from "./reports.js";

/** One speaker speaks, in seconds of the audio as it was given. */
export interface Turn {
  readonly startS: number;
  readonly endS: number;
  /** The speaker's `label`. */
  readonly speaker: string;
  /** Whether somebody else speaks during a part of it, too. */
  readonly overlap: boolean;
}

/**
 * One of those who speak. Beside the result's `fingerprint` it is an embedding to keep: `{...speaker,
 * fingerprint}` can be enrolled and scored.
 */
export interface Speaker {
  /** `S1`, `S2` ... by who speaks first; it means nothing in another result. */
  readonly label: string;
  /** Of all of their speech: `dim` numbers, of length 1. */
  readonly embedding: Float32Array;
  readonly speechS: number;
  /** Of a stream: further labels that turned out to be theirs. */
  readonly also?: readonly string[];
  /** Of the embedding, where it is another than the result's: another model served before. */
  readonly fingerprint?: string;
  /** Who of the gallery it is. Absent: nobody, or it was not asked (`identify`). */
  readonly person?: PersonName;
  /** Of that person, as `people.identify` tells them. */
  readonly llr?: number;
  readonly probability?: number;
}

/** Who speaks when. Where nobody speaks, there are neither turns nor speakers. */
export interface DiarizeResult {
  /** In the order of their starts. */
  readonly turns: readonly Turn[];
  readonly speakers: readonly Speaker[];
  readonly dim: number;
  readonly model: string;
  /** Of the speakers' embeddings: keep it beside them. */
  readonly fingerprint: string;
  readonly durationS: number;
  readonly warnings?: readonly AudioWarning[];
}
