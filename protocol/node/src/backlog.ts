/** The requests that have no answer yet: those that wait, and those that the child has. No I/O. */

import { Overloaded } from "./errors.js";

/** What a child may have in flight at once. */
export interface Window {
  readonly maxInFlight: number;
  readonly maxQueuedBytes: number;
}

/** What the backlog knows of a request. */
export interface Job {
  readonly id: number;
  /** The bytes that ask for it, encoded once: the app may reuse its audio at once. */
  readonly frame: Uint8Array;
  /** How many they are, or were before `release`. */
  readonly nBytes: number;
  /** What it counts as in flight. */
  readonly nAudios: number;
  /** One that needs no model waits for nothing. */
  readonly needsModel: boolean;
  /** To be the only one in flight, whatever happened to it before. */
  readonly alone: boolean;
  /** Not to be sent again once a child may have done it: it changes what outlives the answer. */
  readonly once: boolean;
  /** Of no use to another child: what it is about is in this one. */
  readonly bound: boolean;
  /** The last child that had it may have done it. */
  mayBeDone: boolean;
  /** How many children died while they had it. */
  nDeaths: number;
  /** Nobody waits for the answer any more. */
  withdrawn: boolean;
  /** Let go of the frame. */
  release(): void;
}

// From its second death on a job is suspected, and sent alone.
const SUSPECT_AFTER_DEATHS = 2;
// It is sent once, and again up to three times.
const MAX_SENDS = 4;

export class Backlog<J extends Job> {
  private waiting: J[] = [];
  // Those that need no model.
  private urgent: J[] = [];
  private readonly sent = new Map<number, J>();
  // Of those, the ones that nobody waits for any more.
  private nWithdrawn = 0;
  private nBytesPending = 0;

  /** Bounds for what is pending, waiting or sent: requests, and bytes of their frames. */
  constructor(
    private readonly maxPending: number,
    private readonly maxPendingBytes: number,
  ) {}

  get nPending(): number {
    return this.urgent.length + this.waiting.length + this.sent.size - this.nWithdrawn;
  }

  /** @throws {Overloaded} there is too much already; nothing of the job is kept. */
  add(job: J): void {
    const nBytes = this.nBytesPending + job.nBytes;
    if (this.nPending > 0 && (this.nPending >= this.maxPending || nBytes > this.maxPendingBytes)) {
      throw new Overloaded(
        `${this.nPending} requests of ${this.nBytesPending} bytes have no answer yet, and at most ` +
          `${this.maxPending} of ${this.maxPendingBytes} bytes may wait: send this one later`,
        undefined,
        { maxPending: this.maxPending, maxPendingBytes: this.maxPendingBytes },
      );
    }
    this.nBytesPending = nBytes;
    this.queueOf(job).push(job);
  }

  /** Put `job` before all others, whatever the bounds say. */
  addFirst(job: J): void {
    this.nBytesPending += job.nBytes;
    this.queueOf(job).unshift(job);
  }

  /** The job to send now, which counts as sent from here on; undefined: none, for the moment. */
  next(isReady: boolean, window: Window): J | undefined {
    const [head] = this.waiting;
    const mayGo = isReady && head !== undefined && this.mayJoin(head, window);
    const job = this.urgent.shift() ?? (mayGo ? this.waiting.shift() : undefined);
    if (job !== undefined) {
      job.mayBeDone = true;
      this.sent.set(job.id, job);
    }
    return job;
  }

  /** The job that the child has under `id`, whatever that is. */
  find(id: unknown): J | undefined {
    return this.sent.get(id as number);
  }

  /** The child answered it, or it is given up. */
  remove(job: J): void {
    const wasSent = this.sent.delete(job.id);
    const queue = this.queueOf(job);
    const index = wasSent ? -1 : queue.indexOf(job);
    if (index >= 0) queue.splice(index, 1);
    if (wasSent && job.withdrawn) this.nWithdrawn -= 1;
    else if (wasSent || index >= 0) this.nBytesPending -= job.nBytes;
  }

  /** The child did not keep `job`: it waits again, before all others. */
  giveBack(job: J): void {
    if (this.sent.delete(job.id)) this.queueOf(job).unshift(job);
  }

  /**
   * Nobody waits for `job` any more, and it is pending no more. If it was sent, the child has it
   * until it answers or dies.
   *
   * @returns whether the child has it.
   */
  withdraw(job: J): boolean {
    const wasSent = this.sent.has(job.id);
    if (wasSent) {
      this.nWithdrawn += 1;
      this.nBytesPending -= job.nBytes;
    } else {
      this.remove(job);
    }
    job.withdrawn = true;
    job.release();
    return wasSent;
  }

  /**
   * The child died: what it had waits again, in its order, before all others. `isBlameless`: it was
   * made to end, so nothing that it had can be at fault.
   *
   * @returns the jobs that must not be sent again; they are no longer in the backlog.
   */
  childDied(isBlameless = false): J[] {
    const orphans = [...this.sent.values()];
    for (const job of orphans) job.nDeaths += job.needsModel && !isBlameless ? 1 : 0;
    const lost = [...orphans, ...this.urgent, ...this.waiting].filter(
      (job) =>
        job.bound || job.withdrawn || (job.once && job.mayBeDone) || job.nDeaths >= MAX_SENDS,
    );
    lost.forEach((job) => this.remove(job));
    const again = [...this.sent.values()];
    this.urgent = [...again.filter((job) => !job.needsModel), ...this.urgent];
    this.waiting = [...again.filter((job) => job.needsModel), ...this.waiting];
    this.sent.clear();
    return lost.filter((job) => !job.withdrawn);
  }

  /** Everything, in its order; the backlog is empty then. */
  clear(): J[] {
    const all = [...this.sent.values(), ...this.urgent, ...this.waiting];
    const jobs = all.filter((job) => !job.withdrawn);
    this.urgent = [];
    this.waiting = [];
    this.sent.clear();
    this.nBytesPending = 0;
    this.nWithdrawn = 0;
    return jobs;
  }

  private queueOf(job: J): J[] {
    return job.needsModel ? this.waiting : this.urgent;
  }

  private mayJoin(job: J, window: Window): boolean {
    const inFlight = [...this.sent.values()].filter((other) => other.needsModel);
    if (inFlight.length === 0) return true;
    if (isAlone(job) || inFlight.some(isAlone)) return false;
    const nAudios = inFlight.reduce((sum, other) => sum + other.nAudios, job.nAudios);
    const nBytes = inFlight.reduce((sum, other) => sum + other.nBytes, job.nBytes);
    return nAudios <= window.maxInFlight && nBytes <= window.maxQueuedBytes;
  }
}

function isAlone(job: Job): boolean {
  return job.alone || job.nDeaths >= SUSPECT_AFTER_DEATHS;
}
