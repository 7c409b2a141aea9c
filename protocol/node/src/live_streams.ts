/** The live streams of a sidecar: each is told what the child tells of it, and of the child's end. */

import type { StreamEars } from "./live_stream";
import type { WireMap } from "./payload";

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
