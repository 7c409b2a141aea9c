/** What the gallery of people tells: the results of its methods. Times are ISO 8601, in UTC. */

import type { AudioWarning, Meaning, Quality } from "./reports.js";

/** Who it is. */
export interface PersonName {
  readonly id: string;
  readonly name: string;
}

/** One person. */
export interface PersonReport extends PersonName {
  /** How many there are. */
  readonly prints: number;
  /** Of speech, kept of this person in all. */
  readonly speechS: number;
  /** Of speech, missing for a print; 0: there is one. */
  readonly neededS: number;
  /** How far the person is from having a print, 0 to 1; 1: there is one. */
  readonly progress: number;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** One print of a person. */
export interface PrintReport {
  readonly id: string;
  /** Of the `audios` that it was made of, in all. */
  readonly speechS: number;
  readonly audios: number;
  readonly fingerprint: string;
  /** Whether it is of the model that serves. */
  readonly usable: boolean;
  /** Whether it was made by `identify` with `adapt`. */
  readonly adapted: boolean;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** One person with all prints, the oldest first. */
export interface PersonDetails {
  readonly person: PersonReport;
  readonly prints: readonly PrintReport[];
}

/** What became of an enrolment. */
export interface EnrollResult extends PersonName {
  /** Whether the person is new. */
  readonly created: boolean;
  /** Whether anything of what was sent was kept; if not, `warnings` say why. */
  readonly used: boolean;
  readonly progress: number;
  readonly speechS: number;
  readonly neededS: number;
  /** The mean cosine with what was there of the person; null: there is nothing to compare. */
  readonly agreement: number | null;
  readonly prints: number;
  readonly quality?: Quality;
  /** `too_little_speech`, `outlier`, `differs`, `sounds_like`, `poor_quality` ... */
  readonly warnings?: readonly AudioWarning[];
}

/** Whether it is that person. */
export interface VerifyResult extends PersonName, Meaning {
  readonly cosine: number;
  readonly speechS: number | null;
  readonly fingerprint: string;
  readonly quality?: Quality;
  readonly warnings?: readonly AudioWarning[];
}

/** How alike a voice is to one person. */
export interface MatchReport extends PersonName {
  readonly cosine: number;
  readonly llr: number | null;
  /** That of all the matches, and nobody of them, it is this one who speaks. */
  readonly probability: number | null;
}

/** Whose voice it is. */
export interface IdentifyResult {
  readonly decision: "known" | "unknown" | (string & {});
  /** Null: nobody of the gallery. */
  readonly person: PersonName | null;
  /** The most alike first. */
  readonly matches: readonly MatchReport[];
  /** Of `llr`, and what it was chosen for. */
  readonly threshold: number | null;
  readonly at: string | null;
  readonly speechS: number | null;
  readonly fingerprint: string;
  /** The id of the print that took this audio in, with `adapt`. */
  readonly adapted?: string;
  readonly quality?: Quality;
  readonly warnings?: readonly AudioWarning[];
}

/** What is gone: the person, or one print. */
export interface ForgetResult extends PersonName {
  readonly prints: number;
}

/** What became of the people of an export. */
export interface ImportResult {
  readonly added: number;
  readonly replaced: number;
  readonly kept: number;
}
