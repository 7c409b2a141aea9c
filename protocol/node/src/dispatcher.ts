/** Which request goes to the child when, and which answer belongs to which. */

import { Backlog, type Window } from "./backlog.js";
import type { Child } from "./child.js";
import type { Clock, Timer } from "./clock.js";
import type { LastWords } from "./endings.js";
import { ChildGone, errorFromWire, KillsChild, Overloaded } from "./errors.js";
import { encodeFrame } from "./framing.js";
import { encodeCancel, type Failure, type Method, type Result } from "./messages.js";
import type { WireMap } from "./payload.js";
import type { Limits, RequestProgress } from "./reports.js";
import { Request, type RequestOptions } from "./request.js";

/** What is needed of a child here. */
export type Recipient = Pick<Child, "isWritable" | "write">;

/** What it tells of the child. */
export interface DispatcherListener {
  /** It has answered a request that takes its model. */
  onAnswered(): void;
  /** It answers that it ends. */
  onEnding(): void;
}

// If the child does not say when to ask again.
const RETRY_AFTER_MS = 100;
const PROOF_SAMPLE_RATE_HZ = 16_000;

export class Dispatcher {
  private readonly backlog: Backlog<Request>;
  private child: Recipient | null = null;
  private isReady = false;
  private window: Window = { maxInFlight: 1, maxQueuedBytes: 0 };
  private maxFrameBytes: number | undefined;
  private pauseTimer: Timer | null = null;
  private nextId = 1;
  private whenIdle: (() => void) | null = null;

  /**
   * @param maxPending - requests without an answer, at most; further ones are refused.
   * @param maxPendingBytes - bytes of their frames, at most.
   */
  constructor(
    maxPending: number,
    maxPendingBytes: number,
    private readonly clock: Clock,
    private readonly listener: DispatcherListener,
  ) {
    this.backlog = new Backlog(maxPending, maxPendingBytes);
  }

  /** An id that no request has. */
  takeId(): number {
    return this.nextId++;
  }

  /** Requests without an answer. */
  get nPending(): number {
    return this.backlog.nPending;
  }

  /** A child said hello: what needs no model can be sent. */
  connect(child: Recipient, limits: Limits): void {
    this.child = child;
    this.window = limits;
    this.maxFrameBytes = limits.maxFrameBytes;
    this.pump();
  }

  /** Whether the child serves now: only then is it sent what takes its model. */
  setReady(isReady: boolean): void {
    this.isReady = isReady;
    this.pump();
  }

  /**
   * Queue a request; its `answer` settles once.
   *
   * @throws {Overloaded} too much waits already.
   * @throws {InvalidParams} it is longer than a frame may be.
   */
  submit(method: Method, params: WireMap, options: RequestOptions): Request {
    const { maxFrameBytes } = this;
    const request = new Request(this.takeId(), method, params, { ...options, maxFrameBytes });
    this.backlog.add(request);
    this.pump();
    return request;
  }

  /** Nobody waits for `request` any more: reject it with `error`, and let the child drop it. */
  withdraw(request: Request, error: Error): void {
    if (request.withdrawn) return;
    request.reject(error);
    if (this.backlog.withdraw(request)) {
      this.child?.write(encodeFrame(encodeCancel(request.id)));
    }
    this.noteIdle();
    this.pump();
  }

  /** Let a harmless request, alone, go before all others. */
  prove(): void {
    const pcm = new Int16Array(PROOF_SAMPLE_RATE_HZ);
    for (let n = 0; n < pcm.length; n++) pcm[n] = 1_000 * Math.sin(n / 16);
    const audio = {
      pcm: new Uint8Array(pcm.buffer),
      encoding: "s16le",
      sample_rate_hz: PROOF_SAMPLE_RATE_HZ,
      channels: 1,
    };
    const proof = new Request(this.takeId(), "embed", { audio }, { nAudios: 1, alone: true });
    // What it answers is of no interest, only that it does.
    proof.answer.catch(() => undefined);
    this.backlog.addFirst(proof);
  }

  /** Bring the child's answer to its request. */
  take(answer: Result | Failure, lastWords: LastWords): void {
    const request = this.backlog.find(answer.id);
    if (request === undefined) return;
    if (lastWords.isNoAnswer(answer, request.withdrawn)) {
      // It stays in flight, and is sent again once the child has died: nothing was done.
      request.mayBeDone = false;
      this.listener.onEnding();
    } else if (isRefusedForNow(answer) && !request.bound) {
      if (request.withdrawn) this.backlog.remove(request);
      else this.backlog.giveBack(request);
      this.pause(answer.error.data.retry_after_ms);
    } else {
      this.backlog.remove(request);
      if (request.nAudios > 0) this.listener.onAnswered();
      if (answer.type === "result") request.resolve(answer.result);
      else request.reject(errorFromWire(answer.error));
    }
    this.noteIdle();
    this.pump();
  }

  /** Bring what the child tells of the request `id` to whoever waits for its answer. */
  takeProgress(id: unknown, progress: RequestProgress): void {
    const request = this.backlog.find(id);
    // Later, so that a callback that throws cannot stop us halfway.
    queueMicrotask(() => {
      if (request?.withdrawn === false) request.onProgress?.(progress);
    });
  }

  /** The child takes frames again. */
  pump(): void {
    while (this.child?.isWritable === true && this.pauseTimer === null) {
      const request = this.backlog.next(this.isReady, this.window);
      if (request === undefined) return;
      this.child.write(request.frame);
    }
  }

  /** The child died: what it had waits for the next one; what died too often is rejected. */
  childDied(reason: string, { isBlameless }: { readonly isBlameless: boolean }): void {
    this.child = null;
    this.isReady = false;
    this.endPause();
    for (const request of this.backlog.childDied(isBlameless))
      request.reject(lostError(request, reason));
    this.noteIdle();
  }

  /** Reject everything that has no answer. */
  rejectAll(error: Error): void {
    for (const request of this.backlog.clear()) request.reject(error);
    this.noteIdle();
  }

  /** Resolves once nothing is without an answer. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.whenIdle = resolve;
      this.noteIdle();
    });
  }

  private noteIdle(): void {
    if (this.backlog.nPending === 0) this.whenIdle?.();
  }

  private pause(retryAfterMs: unknown): void {
    const delayMs = typeof retryAfterMs === "number" ? retryAfterMs : RETRY_AFTER_MS;
    this.pauseTimer ??= this.clock.setTimer(() => {
      this.endPause();
      this.pump();
    }, delayMs);
  }

  private endPause(): void {
    this.pauseTimer?.cancel();
    this.pauseTimer = null;
  }
}

function isRefusedForNow(answer: Result | Failure): answer is Failure {
  return answer.type === "failure" && answer.error.code === Overloaded.code;
}

function lostError(request: Request, reason: string): Error {
  const { bound, once, mayBeDone, method, nDeaths } = request;
  if (bound) return new ChildGone(`the sidecar ended, and its streams with it. ${reason}`);
  if (once && mayBeDone) {
    return new ChildGone(
      `the sidecar ended before it answered, and may have done ${method} or not: see who is ` +
        `enrolled before you ask again. ${reason}`,
      "unanswered",
    );
  }
  return new KillsChild(
    `${nDeaths} children ended while they had this request, and the last ones had no other: do ` +
      `not send its audio again. At last: ${reason}`,
  );
}
