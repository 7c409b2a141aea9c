/** Who speaks now, as far as a stream's turns tell it. No I/O. */

import type { LiveTurn } from "./live_reports.js";

/** Somebody who speaks now: a turn that lasts, and whether it is sure whose it is. */
export interface Speaking {
  readonly turn: LiveTurn;
  /** False: it is not known whose it is, or it is a guess that may yet prove to be wrong. */
  readonly sure: boolean;
}

// A turn's first name may be that of who spoke before: so long it is a guess.
const SURE_AFTER_S = 1.75;

/**
 * Who speaks now, one entry for each voice, in the order in which they began.
 *
 * @param turns - what is known of each turn, in the order in which they were noticed.
 * @param heardS - up to where the stream was heard.
 */
export function speaking(turns: readonly LiveTurn[], heardS: number): Speaking[] {
  return turns
    .filter(({ endS }) => endS === null)
    .map((turn) => ({ turn, sure: heardS - turn.startS >= SURE_AFTER_S }));
}
