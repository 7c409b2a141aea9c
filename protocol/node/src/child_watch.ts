/** Notices that a child hangs: whatever is due of it has its time. No I/O. */

import type { Clock, Timer } from "./clock.js";

// A wait is counted in ticks, not read from a clock: while the machine sleeps, or this process is
// busy, the child gets no chance to do its part, and no tick is counted either.
const TICKS_PER_WAIT = 10;
// A child that said that it ends has so long to do it.
const ENDING_MS = 5_000;

/** Milliseconds. */
export interface ChildTimeouts {
  /** From the start to hello. */
  readonly helloTimeoutMs: number;
  /** From one word of its loading to the next. */
  readonly loadTimeoutMs: number;
  /** From one answer to `health` to the next question. */
  readonly healthIntervalMs: number;
  /** From there to its answer. */
  readonly healthTimeoutMs: number;
}

type Phase = "starting" | "loading" | "serving" | "ending";

export class ChildWatch {
  private phase: Phase = "starting";
  private timer: Timer | null = null;

  /** `ping` is to ask for its health; `onHang` is told what did not come in time. */
  constructor(
    private readonly clock: Clock,
    private readonly timeouts: ChildTimeouts,
    private readonly ping: () => void,
    private readonly onHang: (fault: string, wasLoading: boolean) => void,
  ) {}

  /** A child was started. */
  starts(): void {
    this.phase = "starting";
    this.expect("it did not say hello", this.timeouts.helloTimeoutMs);
  }

  /** It loads. */
  loads(): void {
    this.phase = "loading";
    this.expect("it said nothing of its loading", this.timeouts.loadTimeoutMs);
  }

  /** It is further with its loading. */
  progressed(): void {
    if (this.phase === "loading") this.loads();
  }

  /** It serves. */
  serves(): void {
    this.phase = "serving";
    this.wait(this.timeouts.healthIntervalMs, () => {
      this.expect("it did not answer health", this.timeouts.healthTimeoutMs);
      this.ping();
    });
  }

  /** It answered `ping`. */
  answered(): void {
    if (this.phase === "serving") this.serves();
  }

  /** It said that it ends. */
  ends(): void {
    if (this.phase === "ending") return;
    this.phase = "ending";
    this.expect("it said that it ends, and did not", ENDING_MS);
  }

  /** Nothing is due of it any more. */
  stop(): void {
    this.timer?.cancel();
    this.timer = null;
  }

  private expect(fault: string, withinMs: number): void {
    const wasLoading = this.phase === "loading";
    this.wait(withinMs, () => this.onHang(`${fault} within ${withinMs} ms`, wasLoading));
  }

  private wait(durationMs: number, then: () => void): void {
    this.stop();
    let nTicks = 0;
    const schedule = () => (this.timer = this.clock.setTimer(tick, durationMs / TICKS_PER_WAIT));
    const tick = () => {
      nTicks += 1;
      if (nTicks < TICKS_PER_WAIT) schedule();
      else then();
    };
    schedule();
  }
}
