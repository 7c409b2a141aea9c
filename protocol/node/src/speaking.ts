/** Who speaks now, as far as a stream's turns tell it. No I/O. */

import type { LiveTurn } from "./live_reports.js";

/** Somebody who speaks now, or pauses for a moment. */
export interface Speaking {
  /** The turn that began last of theirs. */
  readonly turn: LiveTurn;
  /** False: it is not known whose voice it is, or it is a guess that may yet prove to be wrong. */
  readonly sure: boolean;
}

// Who pauses for less is still speaking, where nobody else has begun.
const PAUSE_S = 1;
// A turn's first name may be that of who spoke before, until enough of the voice itself was heard:
// in annotated conversations, what is corrected is so within 0.6 s of the turn, or much later.
const HEARD_AFTER_S = 0.75;
// So much of a voice, over turns with no more than a pause between them, is no guess any more.
const SURE_AFTER_S = 1;
// Once so much of a person's speech was heard, a turn of theirs takes no more than this from the log
// likelihood ratio of all that they have said; somebody who is taken for them does.
const MUCH_S = 2;
const MAY_TAKE = 0.3;

/**
 * Who speaks now: one entry for each voice, in the order in which they began. Of a turn without a
 * voice (neither `speaker` nor `person`) it is only known that somebody speaks.
 *
 * @param turns - what is known of each turn of the stream: `turns` of `listen` or `live`.
 * @param heardS - up to where the stream was heard, in seconds: `endS` of the latest level.
 */
export function speaking(turns: readonly LiveTurn[], heardS: number): Speaking[] {
  const spoken = turns
    .map((turn): Spoken => ({ turn, voice: voiceOf(turn), endS: turn.endS ?? heardS }))
    // Some turns prove to be nobody's.
    .filter(({ turn, endS }) => turn.endS === null || endS > turn.startS)
    .sort((a, b) => a.turn.startS - b.turn.startS);
  const lastBegunS = spoken.at(-1)?.turn.startS ?? 0;
  const now = spoken.filter(({ turn, voice, endS }) => {
    if (turn.endS === null) return true;
    return voice !== null && heardS - endS < PAUSE_S && turn.startS === lastBegunS;
  });
  const voices = new Map<string | null, Speaking>();
  for (const one of now) {
    const sure = isSure(one, spoken) || voices.get(one.voice)?.sure === true;
    voices.set(one.voice, { turn: one.turn, sure });
  }
  return [...voices.values()];
}

interface Spoken {
  readonly turn: LiveTurn;
  readonly voice: string | null;
  readonly endS: number;
}

function voiceOf({ speaker, person }: LiveTurn): string | null {
  return person?.id ?? speaker;
}

/** Whether enough was heard of `one`, and of the turns of the same voice that led to it. */
function isSure(one: Spoken, spoken: readonly Spoken[]): boolean {
  if (one.voice === null || one.endS - one.turn.startS < HEARD_AFTER_S) return false;
  const before = spoken.slice(0, spoken.indexOf(one)).filter(({ voice }) => voice !== null);
  before.reverse();
  const known = before.find(({ turn, voice }) => turn.final && voice === one.voice)?.turn;
  const { llr = Infinity } = one.turn;
  const { llr: knownLlr = -Infinity, speechS = 0 } = known ?? {};
  if (speechS >= MUCH_S && llr < knownLlr - MAY_TAKE) return false;
  let [heardS, fromS] = [one.endS - one.turn.startS, one.turn.startS];
  for (const { turn, voice, endS } of before) {
    if (voice !== one.voice || fromS - endS > PAUSE_S) break;
    heardS += Math.max(0, Math.min(endS, fromS) - turn.startS);
    fromS = turn.startS;
  }
  return heardS >= SURE_AFTER_S;
}
