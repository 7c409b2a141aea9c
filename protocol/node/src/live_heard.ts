/** How far a stream was heard by its children, and what the next one would hear of it. */

import type { Tape } from "./live_tape.js";

// What is heard again, at most; and at least, of what was heard already.
const AGAIN_S = 30;
const CONTEXT_S = 10;
/** Children that may die with the stream, one after the other, without getting on with it. */
export const MAX_DEATHS = 5;

export class Heard {
  /** Where the child's stream begins. */
  beginS = 0;
  /** Up to where all was heard. */
  untilS = 0;
  /** What the child has taken, and not heard. */
  bufferedS = 0;
  /** The model's fingerprint; null: nothing was heard so far. */
  by: string | null = null;
  private mostS = 0;
  private nDeaths = 0;

  constructor(private readonly tape: Tape) {}

  /** A child of the model `fingerprint` has all but `bufferedS` of what it has taken behind it. */
  note(bufferedS: number, fingerprint: string | null): void {
    this.bufferedS = bufferedS;
    this.untilS = Math.max(this.untilS, this.tape.takenS - bufferedS);
    this.by = fingerprint ?? this.by;
    this.tape.drop(this.againFromS());
  }

  /** The child is gone; whether its kin get no further here. */
  endsChildren(wasHearing: boolean): boolean {
    if (this.untilS > this.mostS) this.nDeaths = 0;
    if (wasHearing) this.nDeaths += 1;
    this.mostS = Math.max(this.mostS, this.untilS);
    return this.nDeaths >= MAX_DEATHS;
  }

  /** The next child hears what it needs again. */
  rewind(): void {
    this.beginS = this.untilS = this.tape.rewind(this.againFromS());
    this.bufferedS = 0;
  }

  private againFromS(): number {
    return Math.min(this.tape.takenS - AGAIN_S, this.untilS - CONTEXT_S);
  }
}
