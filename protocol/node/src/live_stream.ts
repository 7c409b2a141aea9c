/** A live stream's talk with the child, and with the next one once it is gone. */

import type { Timer } from "./clock.js";
import type { DiarizeResult } from "./diarization_reports.js";
import { KillsChild, Overloaded, SidecarError, UnknownStream } from "./errors.js";
import { Heard, MAX_DEATHS } from "./live_heard.js";
import type { KnownSpeaker, LiveCloseOptions, LiveOptions, LiveRestart } from "./live_reports.js";
import type { StreamHost } from "./live_streams.js";
import { Tape } from "./live_tape.js";
import { readDiarize } from "./results.js";
import { diarizeParams, openParams } from "./wire_options.js";

/** Whom the stream tells of its life, in its own time: from the first sample on. */
export interface StreamListener {
  /** Another child has it from now on, and goes on with those whom it was told. */
  onReopened(how: Omit<LiveRestart, "speakers">, known: readonly KnownSpeaker[]): void;
  /** All was heard up to `heardS`, and `bufferedS` wait to be. */
  onHeard(heardS: number, bufferedS: number): void;
  /** The child is gone; the next one hears from `startS` on. */
  onLost(startS: number): void;
  /** With whom the next child can go on. */
  known(fingerprint: string | null): readonly KnownSpeaker[];
  onFailed(error: Error): void;
}

// So that neither a frame nor the child's patience becomes too long.
const PUSH_S = 5;
const MAX_PUSH_BYTES = 2 ** 20;
const RETRY_AFTER_MS = 250;
// So much may wait in the child for its next step; of more it is asked now and then.
const USUAL_S = 0.5;
const LOOK_AFTER_MS = 250;

interface Closing {
  readonly options: LiveCloseOptions;
  readonly done: (result: DiarizeResult) => void;
}

export class LiveStream {
  private readonly tape: Tape;
  private readonly heard: Heard;
  private readonly controller = new AbortController();
  private readonly pushS: number;
  private stream: string | null = null;
  // Another one for each attempt to have it open: what an earlier one brings is of no interest.
  private attempt = 0;
  private isSending = false;
  private isCloseSent = false;
  private retryTimer: Timer | null = null;
  private lookTimer: Timer | null = null;
  private isLooking = false;
  private closing: Closing | null = null;
  private lost: { readonly reason: string; readonly heardS: number } | null = null;
  private whenTaken: (() => void)[] = [];

  constructor(
    private readonly options: LiveOptions,
    private readonly host: StreamHost,
    private readonly listener: StreamListener,
  ) {
    const { sampleRateHz, channels = 1, encoding = "f32le" } = options;
    const frameBytes = channels * (encoding === "f32le" ? 4 : 2);
    this.tape = new Tape(frameBytes, sampleRateHz);
    this.heard = new Heard(this.tape);
    this.pushS = Math.min(PUSH_S, MAX_PUSH_BYTES / frameBytes / sampleRateHz);
  }

  /** Of what was pushed, so much was not heard yet. */
  get bufferedS(): number {
    return this.tape.waitingS + this.heard.bufferedS;
  }

  /** How long so many bytes are. */
  seconds(nBytes: number): number {
    return this.tape.seconds(nBytes);
  }

  /** Of that, so much the child has not taken. */
  get waitingS(): number {
    return this.tape.waitingS;
  }

  /** Ask for a stream. */
  open(): void {
    void this.converse(async (isCurrent) => {
      const { lost } = this;
      const fingerprint = this.host.fingerprint();
      const known = this.listener.known(lost === null ? null : fingerprint);
      const opened = await this.host.ask(
        "stream_open",
        openParams(this.options, this.heard.beginS, known),
        this.signal,
      );
      if (!isCurrent()) return;
      this.stream = opened.stream as string;
      this.lost = null;
      const { beginS: startS, by } = this.heard;
      if (lost !== null && by !== null) {
        const { reason, heardS } = lost;
        const how = { reason, startS, againS: heardS - startS, sameModel: fingerprint === by };
        this.listener.onReopened(how, known);
      }
      this.send();
    });
  }

  /** Take `bytes`; they must not change. */
  push(bytes: Uint8Array): void {
    this.tape.append(bytes);
    this.send();
  }

  /** Resolves once the child has taken all that was pushed, or the stream has failed. */
  taken(): Promise<void> {
    return new Promise((resolve) => {
      this.whenTaken.push(resolve);
      this.noteTaken();
    });
  }

  /** Nothing more comes. */
  close(options: LiveCloseOptions): Promise<DiarizeResult> {
    return new Promise((done) => {
      this.closing = { options, done };
      this.send();
    });
  }

  /** Whether what the child tells of `stream` is about this one. */
  isCalled(stream: unknown): boolean {
    return this.stream !== null && stream === this.stream;
  }

  childEnded(reason: string, willRestart: boolean): void {
    if (this.isOver) return;
    this.lose(reason);
    // Asking tells why there is none.
    if (!willRestart) queueMicrotask(() => this.open());
  }

  childServes(): void {
    if (this.lost !== null && this.stream === null && !this.isOver) this.open();
  }

  /** End it without a result. */
  stop(): void {
    const { stream } = this;
    this.attempt += 1;
    this.stream = null;
    this.cancelTimers();
    this.controller.abort();
    this.whenTaken.splice(0).forEach((resolve) => resolve());
    // A close that is cancelled ends it, too. Here, nobody wants the result: its deadline has passed.
    if (stream !== null && !this.isCloseSent) {
      this.host.ask("stream_close", { stream, deadline_ms: 0 }).catch(() => undefined);
    }
  }

  private get isOver(): boolean {
    return this.controller.signal.aborted;
  }

  private get signal(): AbortSignal {
    return this.controller.signal;
  }

  private send(): void {
    if (this.isSending || this.stream === null || this.retryTimer !== null) return;
    if (!this.tape.hasNext && !this.isLooking && this.closing === null) return;
    const { stream } = this;
    void this.converse(async (isCurrent) => {
      this.isSending = true;
      while (this.tape.hasNext || this.isLooking) {
        this.isLooking = false;
        const pcm = this.tape.peek(this.pushS);
        const pushed = await this.host.ask("stream_push", { stream, pcm }, this.signal);
        if (!isCurrent()) return;
        this.tape.take(pcm.length);
        this.hears(pushed.buffered_s as number);
        this.noteTaken();
      }
      this.isSending = false;
      if (this.closing === null) return this.lookLater();
      const { options, done } = this.closing;
      // Its deadline is kept here: until then all must be sent, too.
      const params = diarizeParams({ ...options, deadlineMs: undefined });
      this.isSending = this.isCloseSent = true;
      const result = await this.host.ask("stream_close", { stream, ...params }, this.signal);
      if (!isCurrent()) return;
      this.stream = null;
      const { durationS, ...rest } = readDiarize(result);
      done({ ...rest, durationS: this.heard.beginS + durationS });
      this.stop();
    });
  }

  /** Ask how much was heard, where nothing comes that would bring it. */
  private lookLater(): void {
    if (this.heard.bufferedS <= USUAL_S) return;
    this.lookTimer?.cancel();
    this.lookTimer = this.host.clock.setTimer(() => {
      this.isLooking = true;
      this.send();
    }, LOOK_AFTER_MS);
  }

  /** Talk with the child until it is lost or something fails. */
  private async converse(talk: (isCurrent: () => boolean) => Promise<void>): Promise<void> {
    const attempt = this.stream === null ? ++this.attempt : this.attempt;
    const isCurrent = () => attempt === this.attempt;
    try {
      await talk(isCurrent);
    } catch (error) {
      if (isCurrent()) this.mend(error as Error);
    }
  }

  private mend(error: Error): void {
    this.isSending = this.isCloseSent = false;
    const wasOpen = this.stream !== null;
    if (error instanceof Overloaded && (wasOpen || this.lost !== null)) {
      this.later(error.details);
    } else if (wasOpen && isPassing(error)) {
      this.lose(error.message);
      if (!this.isOver) this.open();
    } else {
      this.fail(error);
    }
  }

  private later({ retryAfterMs, bufferedS }: Readonly<Record<string, unknown>>): void {
    if (typeof bufferedS === "number") this.hears(bufferedS);
    const delayMs = typeof retryAfterMs === "number" ? retryAfterMs : RETRY_AFTER_MS;
    this.retryTimer = this.host.clock.setTimer(() => {
      this.retryTimer = null;
      if (this.stream === null) this.open();
      else this.send();
    }, delayMs);
  }

  private hears(bufferedS: number): void {
    this.heard.note(bufferedS, this.host.fingerprint());
    this.listener.onHeard(this.heard.untilS, this.bufferedS);
  }

  private lose(reason: string): void {
    const { stream, heard } = this;
    const wasHearing = this.isSending || heard.bufferedS > 0;
    this.attempt += 1;
    this.stream = null;
    this.isSending = this.isCloseSent = false;
    this.cancelTimers();
    this.lost ??= { reason, heardS: heard.untilS };
    if (stream === null) return;
    if (heard.endsChildren(wasHearing)) {
      this.fail(new KillsChild(`hearing failed ${MAX_DEATHS} times at one place: ${reason}`));
      return;
    }
    heard.rewind();
    this.listener.onLost(heard.beginS);
  }

  private cancelTimers(): void {
    this.retryTimer?.cancel();
    this.lookTimer?.cancel();
    this.retryTimer = this.lookTimer = null;
    this.isLooking = false;
  }

  private fail(error: Error): void {
    this.stop();
    this.listener.onFailed(error);
  }

  private noteTaken(): void {
    if (this.tape.hasNext && !this.isOver) return;
    this.whenTaken.splice(0).forEach((resolve) => resolve());
  }
}

/** Whether it may go well in a stream that is opened anew. */
function isPassing(error: Error): boolean {
  return error instanceof UnknownStream || (error instanceof SidecarError && error.retryable);
}
