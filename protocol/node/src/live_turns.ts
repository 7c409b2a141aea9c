/** The turns of a stream as the app knows them, whatever children tell them. No I/O. */

import type { DiarizeResult } from "./diarization_reports.js";
import type { KnownSpeaker, LiveTurn } from "./live_reports.js";
import { LiveLabels } from "./live_labels.js";
import { joined } from "./live_result.js";
import type { WireMap } from "./payload.js";
import { readLiveTurn } from "./results.js";

// Two children need not agree to the sample on when a turn begins or ends.
const ABOUT_S = 0.5;
// Of speech, by which somebody is still known.
const LITTLE_S = 1;
// By then the next child has told again what the one before it had begun to tell.
const TOLD_AGAIN_AFTER_S = 3;

export class LiveTurns {
  private readonly told = new Map<number, LiveTurn>();
  private readonly labels: LiveLabels;
  // Of this child: its numbers, and ours.
  private readonly numbers = new Map<number, number>();
  private heardS = -Infinity;

  // Before it, all was said by children before this one.
  private startS = -Infinity;
  // Until there, final turns were told by them.
  private finalUntilS = -Infinity;
  // What comes again, and may yet prove to be one of these.
  private readonly held = new Map<number, LiveTurn>();
  // What they had begun to tell, and until when it is waited for.
  private orphans: LiveTurn[] = [];
  private orphansUntilS = -Infinity;
  // Of these, labels that this child does not know.
  private claims: LiveTurn[] = [];

  constructor(known: readonly KnownSpeaker[]) {
    this.labels = new LiveLabels(known);
  }

  /** What is known of each, in the order in which they were noticed. */
  get all(): LiveTurn[] {
    return [...this.told.values()];
  }

  /** Whom a child with the model `fingerprint` can go on with; null: whatever it is. */
  known(fingerprint: string | null): KnownSpeaker[] {
    return this.labels.known(fingerprint).map((speaker) => {
      const { label, speechS } = speaker;
      // What is heard again is counted again.
      const againS = this.all
        .filter((turn) => turn.final && turn.speaker === label && this.startS > -Infinity)
        .reduce(
          (sum, { startS, endS }) => sum + Math.max(0, endS! - Math.max(startS, this.startS)),
          0,
        );
      return { ...speaker, speechS: Math.max(speechS - againS, Math.min(speechS, LITTLE_S)) };
    });
  }

  /** What the child, whose model has `fingerprint`, tells of a turn; what is news of it. */
  take(params: WireMap, fingerprint: string | null): LiveTurn[] {
    const said = this.read(params, fingerprint);
    this.held.delete(said.turn);
    const turn = this.withoutFinal(said);
    if (!this.numbers.has(said.turn)) {
      if (this.isOld(turn, said)) return [];
      if (this.mayBeOld(said)) {
        this.held.set(said.turn, said);
        return [];
      }
    }
    return [this.tell(turn)];
  }

  /** The child has heard everything up to `heardS`; what is news by that. */
  heard(heardS: number): LiveTurn[] {
    this.heardS = heardS;
    const ready = [...this.held.values()].filter((turn) => !this.mayBeOld(turn));
    ready.forEach(({ turn }) => this.held.delete(turn));
    const news = ready.map((turn) => this.tell(this.withoutFinal(turn)));
    return heardS < this.orphansUntilS ? news : [...news, ...this.dropOrphans()];
  }

  /** The child is gone, and the next one hears from `startS` on; what is final by that. */
  childDied(startS: number): LiveTurn[] {
    this.dropOrphans();
    const finals = this.all.filter(({ final }) => final);
    this.finalUntilS = Math.max(this.finalUntilS, ...finals.map(({ endS }) => endS ?? 0));
    this.startS = startS;
    this.numbers.clear();
    this.held.clear();
    const open = this.all.filter(({ final }) => !final);
    this.orphans = open.filter((turn) => turn.startS >= startS);
    this.orphansUntilS = this.heardS + TOLD_AGAIN_AFTER_S;
    this.heardS = startS;
    this.claims = open.filter(({ speaker }) => speaker !== null);
    // Nobody hears again how these began.
    const cut = open
      .filter((turn) => turn.startS < startS)
      .map((turn): LiveTurn => ({
        ...turn,
        endS: Math.min(turn.endS ?? startS, startS),
        final: true,
      }));
    for (const turn of cut) {
      this.told.set(turn.turn, turn);
      if (turn.speaker !== null) this.labels.fix(turn.speaker);
    }
    return cut;
  }

  /** The next child knows `known`, by their labels. */
  childServes(known: readonly KnownSpeaker[]): void {
    this.labels.next(known);
    const labels = known.map(({ label }) => label);
    this.claims = this.claims.filter(({ speaker }) => !labels.includes(speaker!));
  }

  /** Nothing more comes; what is final by that. */
  end(): LiveTurn[] {
    return this.dropOrphans();
  }

  /** The child's result, and before it what was told by those before it. */
  result(result: DiarizeResult, isExclusive: boolean): DiarizeResult {
    const before = this.all.filter((turn) => turn.final && turn.startS < this.startS);
    const ours = this.labels.oursIn(result);
    return joined(ours, before, this.startS, this.known(null), isExclusive);
  }

  /** A turn in our labels, but still with the child's number. */
  private read(params: WireMap, fingerprint: string | null): LiveTurn {
    const { speaker: label, embedding, speechS, ...said } = readLiveTurn(params);
    if (label === null) return { ...said, speaker: null };
    const claim = this.claims.find(
      ({ startS }) => Math.abs(Math.max(startS, this.startS) - said.startS) <= ABOUT_S,
    );
    const speaker = this.labels.ours(label, claim?.speaker ?? undefined);
    if (said.final) this.labels.fix(speaker);
    if (embedding === undefined || speechS === undefined || fingerprint === null) {
      return { ...said, speaker };
    }
    this.labels.keep({ label: speaker, embedding, fingerprint, speechS });
    return { ...said, speaker, embedding, fingerprint, speechS };
  }

  private tell(turn: LiveTurn): LiveTurn {
    const number = this.numbers.get(turn.turn) ?? this.adopt(turn)?.turn ?? this.told.size;
    this.numbers.set(turn.turn, number);
    const told = { ...turn, turn: number };
    this.told.set(number, told);
    return told;
  }

  /** What the child before had begun to tell of the same. */
  private adopt({ startS }: LiveTurn): LiveTurn | undefined {
    const index = this.orphans.findIndex((turn) => Math.abs(turn.startS - startS) <= ABOUT_S);
    return index < 0 ? undefined : this.orphans.splice(index, 1)[0];
  }

  private dropOrphans(): LiveTurn[] {
    const nothing = this.orphans.map(({ turn, startS }): LiveTurn => ({
      turn,
      startS,
      endS: startS,
      final: true,
      speaker: null,
    }));
    this.orphans = [];
    nothing.forEach((turn) => this.told.set(turn.turn, turn));
    return nothing;
  }

  /** Whether all of it was told before. `said`: with what is in final turns. */
  private isOld({ startS, endS, speaker }: LiveTurn, said: LiveTurn): boolean {
    if (!said.final || endS === null || said.startS >= this.finalUntilS) return false;
    const isRest = startS > said.startS || speaker === null;
    return endS <= this.finalUntilS || (isRest && endS - ABOUT_S <= this.finalUntilS);
  }

  private mayBeOld({ startS, endS, final }: LiveTurn): boolean {
    const untilS = endS ?? this.heardS;
    return !final && startS < this.finalUntilS && untilS <= this.finalUntilS + ABOUT_S;
  }

  /** Without the part that is in final turns of the same speaker. */
  private withoutFinal(turn: LiveTurn): LiveTurn {
    if (turn.startS >= this.finalUntilS || turn.speaker === null) return turn;
    const number = this.numbers.get(turn.turn);
    const startS = this.all
      .filter(({ final, speaker, turn: other }) => {
        return final && speaker === turn.speaker && other !== number;
      })
      .filter(({ startS, endS }) => startS <= turn.startS + ABOUT_S && endS! > turn.startS)
      .reduce((untilS, { endS }) => Math.max(untilS, endS!), turn.startS);
    return { ...turn, startS, endS: turn.endS === null ? null : Math.max(turn.endS, startS) };
  }
}
