/** Who spoke when in a stream of which one child heard the beginning, and another one the rest. */

import type { DiarizeResult, Speaker, Turn } from "./diarization_reports.js";
import type { KnownSpeaker, LiveTurn } from "./live_reports.js";

// One turn was cut in two where the other child began to hear.
const SEAM_S = 0.5;

/**
 * `result` of what was heard from `startS` on, and before it the final turns `before`.
 *
 * @param known - the voices of those who spoke in them.
 * @param isExclusive - one speaks at a time.
 */
export function joined(
  result: DiarizeResult,
  before: readonly LiveTurn[],
  startS: number,
  known: readonly KnownSpeaker[],
  isExclusive: boolean,
): DiarizeResult {
  const now = new Map(
    result.speakers.flatMap(({ label, also = [] }) => also.map((other) => [other, label])),
  );
  const kept = before.flatMap(({ startS: fromS, endS, speaker }): Turn[] => {
    const untilS = Math.min(endS ?? startS, startS);
    if (speaker === null || untilS <= fromS) return [];
    const label = now.get(speaker) ?? speaker;
    return [{ startS: fromS, endS: untilS, speaker: label, overlap: false }];
  });
  if (kept.length === 0) return result;
  const turns = withOverlaps(
    isExclusive
      ? oneAtATime(withoutSeam(kept, result.turns, startS))
      : withoutSeam(kept, result.turns, startS),
  );
  const speakers = [...new Set(turns.map(({ speaker }) => speaker))].map((label) => {
    const said = before.filter(({ speaker }) => speaker !== null);
    const named = said.filter(({ speaker }) => (now.get(speaker!) ?? speaker) === label).at(-1);
    const speechS = kept
      .filter(({ speaker }) => speaker === label)
      .reduce((sum, turn) => sum + turn.endS - turn.startS, 0);
    const old = known.find((speaker) => speaker.label === label);
    const heard = result.speakers.find((speaker) => speaker.label === label);
    return heard === undefined
      ? speakerBefore(label, speechS, old, named, result.fingerprint)
      : speakerOfBoth(heard, speechS, old, result.fingerprint);
  });
  return { ...result, turns, speakers };
}

function speakerBefore(
  label: string,
  speechS: number,
  known: KnownSpeaker | undefined,
  named: LiveTurn | undefined,
  fingerprint: string,
): Speaker {
  const { person, llr, probability } = named ?? {};
  return {
    label,
    embedding: known?.embedding ?? new Float32Array(),
    speechS,
    ...(known !== undefined && known.fingerprint !== fingerprint
      ? { fingerprint: known.fingerprint }
      : {}),
    ...(person === undefined ? {} : { person }),
    ...(llr === undefined ? {} : { llr }),
    ...(probability === undefined ? {} : { probability }),
  };
}

function speakerOfBoth(
  heard: Speaker,
  speechS: number,
  known: KnownSpeaker | undefined,
  fingerprint: string,
): Speaker {
  const both = { ...heard, speechS: heard.speechS + speechS };
  if (known?.fingerprint !== fingerprint || speechS === 0) return both;
  const sum = heard.embedding.map(
    (value, n) => heard.speechS * value + speechS * (known.embedding[n] ?? 0),
  );
  const norm = Math.hypot(...sum);
  return { ...both, embedding: sum.map((value) => value / norm) };
}

function withoutSeam(before: readonly Turn[], after: readonly Turn[], seamS: number): Turn[] {
  const rest = [...after];
  const turns = before.map((turn) => {
    const index = rest.findIndex(
      ({ startS, speaker }) =>
        speaker === turn.speaker && startS - seamS < SEAM_S && seamS - turn.endS < SEAM_S,
    );
    const [next] = index < 0 ? [] : rest.splice(index, 1);
    return next === undefined ? turn : { ...next, startS: turn.startS };
  });
  return [...turns, ...rest].sort((a, b) => a.startS - b.startS || a.endS - b.endS);
}

function withOverlaps(turns: readonly Turn[]): Turn[] {
  return turns.map((turn) => {
    const overlap = turns.some(
      ({ startS, endS, speaker }) =>
        speaker !== turn.speaker && startS < turn.endS && endS > turn.startS,
    );
    return { ...turn, overlap: turn.overlap || overlap };
  });
}

function oneAtATime(turns: readonly Turn[]): Turn[] {
  let untilS = -Infinity;
  return turns.flatMap((turn) => {
    const startS = Math.max(turn.startS, untilS);
    untilS = Math.max(untilS, turn.endS);
    return startS < turn.endS ? [{ ...turn, startS }] : [];
  });
}
