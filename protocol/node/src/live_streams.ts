/** The live streams of a sidecar: each is told what the child tells of it, and of the child's end. */

import type { Clock } from "./clock.js";
import type { Method } from "./messages.js";
import type { WireMap } from "./payload.js";

/** The sidecar, as a stream needs it. */
export interface StreamHost {
  readonly clock: Clock;
  /** Of the model that serves; null: none does yet. */
  fingerprint(): string | null;
  ask(method: Method, params: WireMap, signal?: AbortSignal): Promise<WireMap>;
  /** Tell `ears` of the child from now on; what is returned ends that. */
  attach(ears: StreamEars): () => void;
}

/** Whom the sidecar tells of the child. */
export interface StreamEars {
  /** See `StreamEars`, here and below. */
  isCalled(stream: unknown): boolean;
  /** What the child tells. */
  take(method: string, params: WireMap): void;
  /** The child is gone. `willRestart`: another one comes. */
  childEnded(reason: string, willRestart: boolean): void;
  /** A child serves. */
  childServes(): void;
}

export class LiveStreams {
  private readonly all = new Set<StreamEars>();

  attach(ears: StreamEars): () => void {
    this.all.add(ears);
    return () => this.all.delete(ears);
  }

  take(method: string, params: WireMap): void {
    const ears = [...this.all].find((one) => one.isCalled(params.stream));
    ears?.take(method, params);
  }

  childEnded(reason: string, willRestart: boolean): void {
    for (const ears of [...this.all]) ears.childEnded(reason, willRestart);
  }

  childServes(): void {
    for (const ears of [...this.all]) ears.childServes();
  }
}
