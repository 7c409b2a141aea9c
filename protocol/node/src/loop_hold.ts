/** Keeps Node's event loop alive for a sidecar, or only for its calls. */

import type { Clock, Timer } from "./clock.js";

export class LoopHold {
  private timer: Timer | null = null;
  private isServing = false;
  private isUnref = false;
  private nCalls = 0;

  constructor(private readonly clock: Clock) {}

  /** Whether there is a child, or will be one. */
  set serving(isServing: boolean) {
    this.isServing = isServing;
    this.update();
  }

  /** Let the process end although a child serves: only calls keep it then. */
  set unref(isUnref: boolean) {
    this.isUnref = isUnref;
    this.update();
  }

  /** Hold it until `answer` settles. */
  during(answer: Promise<unknown>): void {
    this.nCalls += 1;
    this.update();
    const done = () => {
      this.nCalls -= 1;
      this.update();
    };
    answer.then(done, done);
  }

  private update(): void {
    const holds = this.nCalls > 0 || (this.isServing && !this.isUnref);
    if (holds) {
      this.timer ??= this.clock.keepAlive();
    } else {
      this.timer?.cancel();
      this.timer = null;
    }
  }
}
