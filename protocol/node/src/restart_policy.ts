/** What follows a child's death: another one, when and how, or the end. No I/O. */

/** Milliseconds before the first restart, the second, and so on; the last one repeats. */
export const RESTART_DELAYS_MS: readonly number[] = [0, 1_000, 5_000, 15_000];

// Up to so much of a delay is added to it, so that many machines do not act in step.
const JITTER = 0.2;
const MAX_DEATHS_WITHOUT_ANSWER = 3;
const DEVICE_FAULTS_BEFORE_CPU = 2;

/** How to go on. `proveFirst`: let the new child answer a harmless request before any other. */
export interface Restart {
  readonly delayMs: number;
  readonly device: "cpu" | null;
  readonly proveFirst: boolean;
}

export class RestartPolicy {
  private nRestarts = 0;
  private nDeathsWithoutAnswer = 0;
  private nDeviceFaults = 0;
  private nFailedStarts = 0;
  private onCpu = false;

  constructor(
    private readonly delaysMs: readonly number[],
    private readonly random: () => number,
  ) {}

  /** A child answered a request that takes its model. */
  answered(): void {
    this.nDeathsWithoutAnswer = 0;
  }

  /** A child has served for long enough to count as well. */
  served(): void {
    this.nRestarts = 0;
    this.nDeviceFaults = 0;
  }

  /** The system could not start a child for the moment. Null: it could not after each delay. */
  notStarted(): Restart | null {
    this.nFailedStarts += 1;
    if (this.nFailedStarts > this.delaysMs.length) return null;
    return this.restart(this.nFailedStarts - 1);
  }

  /** A child died. Null: give up. */
  died({ isDeviceFault }: { readonly isDeviceFault: boolean }): Restart | null {
    this.nFailedStarts = 0;
    this.nDeathsWithoutAnswer += 1;
    this.nDeviceFaults = isDeviceFault ? this.nDeviceFaults + 1 : 0;
    if (this.nDeathsWithoutAnswer >= MAX_DEATHS_WITHOUT_ANSWER) return null;
    if (this.nDeviceFaults >= DEVICE_FAULTS_BEFORE_CPU) this.onCpu = true;
    // One more death would be the last: then it must not be a request that is at fault.
    const proveFirst = this.nDeathsWithoutAnswer === MAX_DEATHS_WITHOUT_ANSWER - 1;
    return { ...this.restart(this.nRestarts++), proveFirst };
  }

  /** Another child is wanted, whatever was before. */
  again(): Restart {
    this.nDeathsWithoutAnswer = 0;
    this.nFailedStarts = 0;
    return this.restart(this.nRestarts++);
  }

  /** Begin anew, with the device that was asked for. */
  reset(): void {
    this.nRestarts = 0;
    this.nDeathsWithoutAnswer = 0;
    this.nDeviceFaults = 0;
    this.nFailedStarts = 0;
    this.onCpu = false;
  }

  private restart(n: number): Restart {
    const delayMs = this.delaysMs[Math.min(n, this.delaysMs.length - 1)] ?? 0;
    return {
      delayMs: Math.round(delayMs * (1 + JITTER * this.random())),
      device: this.onCpu ? "cpu" : null,
      proveFirst: false,
    };
  }
}
