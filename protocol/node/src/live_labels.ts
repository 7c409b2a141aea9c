/** What the speakers of a stream are called, whatever children call them. No I/O. */

import type { DiarizeResult } from "./diarization_reports.js";
import type { KnownSpeaker } from "./live_reports.js";

// What `stream_open` takes.
const MAX_KNOWN = 100;

export class LiveLabels {
  // By label, those who spoke last at the end.
  private readonly kept = new Map<string, KnownSpeaker>();
  // Those that a final turn has had: they mean that person to the end.
  private readonly fixed = new Set<string>();
  // This child's labels, and ours.
  private mapped = new Map<string, string>();

  constructor(known: readonly KnownSpeaker[]) {
    known.forEach((speaker) => this.keep(speaker));
    this.next(known);
  }

  /** The voice of one of ours, by all that they have said so far. */
  keep(speaker: KnownSpeaker): void {
    this.kept.delete(speaker.label);
    this.kept.set(speaker.label, speaker);
    this.fix(speaker.label);
  }

  /** One of ours was in a final turn. */
  fix(label: string): void {
    this.fixed.add(label);
  }

  /** Those whom a child with the model `fingerprint` can go on with; null: whatever it is. */
  known(fingerprint: string | null): KnownSpeaker[] {
    const all = [...this.kept.values()];
    if (fingerprint === null) return all;
    return all.filter((speaker) => speaker.fingerprint === fingerprint).slice(-MAX_KNOWN);
  }

  /** The next child knows `known`, and by their labels; any other of its labels is its own. */
  next(known: readonly KnownSpeaker[]): void {
    this.mapped = new Map(known.map(({ label }) => [label, label]));
  }

  /** Ours for the child's `label`; where it is new, `claimed` if that is nobody else's. */
  ours(label: string, claimed?: string): string {
    const known = this.mapped.get(label);
    if (known !== undefined) return known;
    const taken = [...this.mapped.values()];
    const isFree = claimed !== undefined && !taken.includes(claimed);
    const isSomebodys = (one: string) => this.fixed.has(one) || taken.includes(one);
    let [ours, n] = [isFree ? claimed : label, 1];
    while (!isFree && isSomebodys(ours)) ours = `S${n++}`;
    this.mapped.set(label, ours);
    return ours;
  }

  /** The child's result in our labels. */
  oursIn(result: DiarizeResult): DiarizeResult {
    return {
      ...result,
      turns: result.turns.map((turn) => ({ ...turn, speaker: this.ours(turn.speaker) })),
      speakers: result.speakers.map(({ also, ...speaker }) => ({
        ...speaker,
        label: this.ours(speaker.label),
        ...(also === undefined ? {} : { also: also.map((label) => this.ours(label)) }),
      })),
    };
  }
}
