/** Notices that a child hangs: it is asked for its health, and must answer in time. No I/O. */

import type { Clock, Timer } from "./clock";

// The wait is counted in ticks, not read from a clock: while the machine sleeps, or this process is
// busy, the child gets no chance to answer, and no tick is counted either.
const TICKS_PER_TIMEOUT = 10;

export class HealthWatch {
  private timer: Timer | null = null;
  private nIdleTicks = 0;
  private nWaitingTicks: number | null = null;
  private readonly tickMs: number;

  /** Every `intervalMs`, `ping` is called; `onHang`, if no `answered()` follows in `timeoutMs`. */
  constructor(
    private readonly clock: Clock,
    private readonly intervalMs: number,
    timeoutMs: number,
    private readonly ping: () => void,
    private readonly onHang: () => void,
  ) {
    this.tickMs = timeoutMs / TICKS_PER_TIMEOUT;
  }

  start(): void {
    this.stop();
    this.nIdleTicks = 0;
    this.nWaitingTicks = null;
    this.schedule();
  }

  answered(): void {
    this.nWaitingTicks = null;
    this.nIdleTicks = 0;
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = null;
  }

  private schedule(): void {
    this.timer = this.clock.setTimer(() => this.tick(), this.tickMs);
  }

  private tick(): void {
    this.schedule();
    if (this.nWaitingTicks === null) {
      this.nIdleTicks += 1;
      if (this.nIdleTicks * this.tickMs < this.intervalMs) return;
      this.nWaitingTicks = 0;
      this.ping();
    } else {
      this.nWaitingTicks += 1;
      if (this.nWaitingTicks < TICKS_PER_TIMEOUT) return;
      this.stop();
      this.onHang();
    }
  }
}
