/** The audios of a batch: those that can be sent, and what is wrong with the others. */

import { audioToWire, type Audio } from "./audio.js";
import { shown } from "./argument_checks.js";
import { InvalidParams, SidecarError } from "./errors.js";
import type { WireMap } from "./payload.js";
import type { BatchItem } from "./results.js";

export class Batch {
  /** The wire's maps of those that can be sent. */
  readonly items: WireMap[] = [];
  private readonly faults = new Map<number, SidecarError>();

  /**
   * @param maxItems - the child takes so many.
   * @throws {InvalidParams} they are not an array of 1 to `maxItems`.
   */
  constructor(
    private readonly audios: readonly Audio[],
    maxItems: number,
  ) {
    if (!Array.isArray(audios)) {
      throw new InvalidParams(`audios must be an array, not ${shown(audios)}`);
    }
    if (audios.length === 0) throw new InvalidParams("audios must hold one audio at least");
    if (audios.length > maxItems) {
      throw new InvalidParams(
        `${audios.length} audios are too many for one call: ask for at most ${maxItems} at once`,
        "batch_too_large",
        { maxBatchItems: maxItems },
      );
    }
    audios.forEach((audio: Audio, index) => this.add(audio, index));
  }

  /** The outcomes of all, given those of what was sent. */
  outcomes(answered: readonly BatchItem[]): BatchItem[] {
    const rest = answered[Symbol.iterator]();
    return this.audios.flatMap((_, index): BatchItem[] => {
      const reason = this.faults.get(index);
      if (reason !== undefined) return [{ status: "rejected", reason }];
      const next = rest.next();
      return next.done === true ? [] : [next.value];
    });
  }

  private add(audio: Audio, index: number): void {
    try {
      this.items.push(audioToWire(audio, `audios[${index}]`));
    } catch (error) {
      if (!(error instanceof SidecarError)) throw error;
      this.faults.set(index, error);
    }
  }
}
