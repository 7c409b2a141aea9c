// What was told as it happened, as a result: where there is no hindsight.

/**
 * As of `listen`'s close, of the turns that were final.
 *
 * @param turns - of `listen`.
 * @param durationS - of what was recorded.
 */
export function asTold(turns, durationS) {
  const said = turns.filter(({ startS, endS, embedding }) => embedding && endS > startS);
  const last = new Map(said.map((turn) => [turn.speaker, turn]));
  return {
    durationS,
    turns: said.map(({ startS, endS, speaker }) => ({ startS, endS, speaker, overlap: false })),
    speakers: [...last].map(([label, { embedding, fingerprint, speechS, person }]) => ({
      ...{ label, embedding, fingerprint, speechS },
      ...(person && { person }),
    })),
  };
}
