/** A live stream as an app has it: samples in, who speaks out. */

import { EventEmitter } from "node:events";

import { cancelledBy, onAbort } from "./abort.js";
import { typeNameOf } from "./argument_checks.js";
import { bytesOf, isUint8Array } from "./audio.js";
import type { DiarizeResult } from "./diarization_reports.js";
import { Closed, DeadlineExceeded, InvalidParams, Overloaded } from "./errors.js";
import type {
  LiveCloseOptions,
  LiveEvents,
  LiveLevel,
  LiveOptions,
  LiveTurn,
} from "./live_reports.js";
import { LiveStream } from "./live_stream.js";
import type { StreamHost } from "./live_streams.js";
import { LiveTurns } from "./live_turns.js";
import type { WireMap } from "./payload.js";
import { readPlain } from "./results.js";

export interface Live {
  on<E extends keyof LiveEvents>(event: E, listener: (...args: LiveEvents[E]) => void): this;
  once<E extends keyof LiveEvents>(event: E, listener: (...args: LiveEvents[E]) => void): this;
  off<E extends keyof LiveEvents>(event: E, listener: (...args: LiveEvents[E]) => void): this;
}

const MAX_WAITING_S = 60;
const LATE_S = 5;
const IN_TIME_S = 1;

/**
 * Who speaks, as it happens. It outlives its child: what was final stays, the next child hears the
 * last 30 s again, and the speakers keep their labels.
 *
 * As an async iterable it gives each turn whenever something of it is news.
 */
export class Live extends EventEmitter implements AsyncIterable<LiveTurn> {
  private readonly book: LiveTurns;
  private readonly stream: LiveStream;
  private readonly detach: () => void;
  private readonly encoding: "f32le" | "s16le";
  private readonly maxWaitingS: number;
  private forgetAbort: (() => void) | undefined;
  private closing: Promise<DiarizeResult> | null = null;
  private onOver: ((error: Error) => void) | null = null;
  private over: { readonly error: Error | null } | null = null;
  private isLate = false;
  private levelUntilS = -Infinity;
  private readonly wakeReaders = new Set<(turn: LiveTurn | null) => void>();

  /** Of a sidecar, by its `live`. */
  constructor(options: LiveOptions, host: StreamHost) {
    super();
    check(options);
    const { signal, speakers = [], startS = 0 } = options;
    this.encoding = options.encoding ?? "f32le";
    this.maxWaitingS = options.maxWaitingS ?? MAX_WAITING_S;
    this.book = new LiveTurns(speakers);
    this.stream = new LiveStream(options, host, {
      known: (fingerprint) => this.book.known(fingerprint),
      onReopened: (how, known) => {
        this.book.childServes(known);
        const labels = known.map(({ label }) => label);
        this.tell("restarted", { ...how, startS: startS + how.startS, speakers: labels });
      },
      onHeard: (heardS, bufferedS) => {
        this.news(this.book.heard(startS + heardS));
        this.noteLag(bufferedS);
      },
      onLost: (fromS) => this.news(this.book.childDied(startS + fromS)),
      onFailed: (error) => this.end(error),
    });
    this.detach = host.attach({
      isCalled: (stream) => this.stream.isCalled(stream),
      take: (method, params) => this.take(method, params, host.fingerprint()),
      childEnded: (...end) => this.stream.childEnded(...end),
      childServes: () => this.stream.childServes(),
    });
    if (signal !== undefined) {
      const abort = () => this.stopWith(cancelledBy(signal, "the stream"));
      this.forgetAbort = onAbort(signal, abort);
      if (signal.aborted) abort();
    }
    if (this.over === null) this.stream.open();
  }

  /** What is known of each turn, in the order in which they were noticed. */
  get turns(): readonly LiveTurn[] {
    return this.book.all;
  }

  /** How much of what was pushed was not heard yet, in seconds. */
  get bufferedS(): number {
    return this.stream.bufferedS;
  }

  /**
   * What comes next: samples of the stream's encoding, or their bytes, which may be cut anywhere;
   * into a stream of floats also 16-bit integers. They are copied.
   *
   * @throws {Overloaded} more than `maxWaitingS` would wait for the child; nothing of it is taken.
   * @throws {InvalidParams} so it would by these samples alone: push them in pieces.
   * @throws {SidecarError} the stream has ended with this error, or was closed.
   */
  push(samples: Float32Array | Int16Array | Uint8Array): void {
    if (this.over?.error) throw this.over.error;
    if (this.closing !== null) throw new Closed("this stream was closed: open another one");
    const bytes = pushedBytes(samples, this.encoding);
    this.checkRoom(this.stream.seconds(bytes.length));
    this.stream.push(bytes);
    this.noteLag(this.stream.bufferedS);
  }

  /**
   * Resolves once the child has taken what was pushed, or the stream has ended: who plays a
   * recording into it waits for that before each push.
   */
  drained(): Promise<void> {
    return this.stream.taken();
  }

  /**
   * Nothing more comes: who spoke when, in hindsight. After a restart, what was heard before it is
   * as the final turns told it, and `nSpeakers` and its kin are about what was heard since.
   */
  close(options: LiveCloseOptions = {}): Promise<DiarizeResult> {
    this.closing ??= this.closeNow(options);
    return this.closing;
  }

  /** Each turn that was told, and then each whenever it is told; it ends as the stream does. */
  async *[Symbol.asyncIterator](): AsyncIterator<LiveTurn> {
    // Of a turn only what was told last is of interest.
    const unread = new Map(this.turns.map((turn) => [turn.turn, turn]));
    let wake: () => void = () => undefined;
    const reader = (turn: LiveTurn | null) => {
      if (turn !== null) unread.set(turn.turn, turn);
      wake();
    };
    this.wakeReaders.add(reader);
    try {
      for (;;) {
        for (const [number, turn] of unread) {
          unread.delete(number);
          yield turn;
        }
        if (unread.size > 0) continue;
        if (this.over?.error) throw this.over.error;
        if (this.over !== null) return;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      this.wakeReaders.delete(reader);
    }
  }

  private checkRoom(pushedS: number): void {
    const { waitingS, bufferedS } = this.stream;
    const { maxWaitingS } = this;
    if (pushedS > maxWaitingS) {
      throw new InvalidParams(
        `${pushedS.toFixed(1)} s are too much for one push, as at most ${maxWaitingS} s may ` +
          "wait to be heard: push pieces of a second, and wait for drained() before each",
      );
    }
    if (waitingS + pushedS > maxWaitingS) {
      throw new Overloaded(
        `${waitingS.toFixed(1)} s of audio wait to be heard already, and at most ` +
          `${maxWaitingS} s may: push it again later, or wait for drained()`,
        undefined,
        { bufferedS, maxWaitingS },
      );
    }
  }

  private async closeNow(options: LiveCloseOptions): Promise<DiarizeResult> {
    if (this.over?.error) throw this.over.error;
    const { signal, deadlineMs } = options;
    const failed = new Promise<never>((_, reject) => (this.onOver = reject));
    const late = () => new DeadlineExceeded(`the stream was not closed within ${deadlineMs} ms`);
    const timer =
      deadlineMs === undefined ? null : setTimeout(() => this.stopWith(late()), deadlineMs);
    const abort = () => this.stopWith(cancelledBy(signal!, "closing the stream"));
    const forgetAbort = signal && onAbort(signal, abort);
    if (signal?.aborted === true) abort();
    try {
      const result = await Promise.race([this.stream.close(options), failed]);
      this.news(this.book.end());
      this.end(null);
      return this.book.result(result, options.exclusive === true);
    } finally {
      forgetAbort?.();
      if (timer !== null) clearTimeout(timer);
    }
  }

  private take(method: string, params: WireMap, fingerprint: string | null): void {
    if (method === "stream_turn") this.news(this.book.take(params, fingerprint));
    if (method !== "stream_level") return;
    const { stream: _, ...level } = readPlain<LiveLevel & { stream: string }>(params);
    // What is heard again was told before.
    if (level.endS <= this.levelUntilS) return;
    this.levelUntilS = level.endS;
    this.tell("level", level);
  }

  private news(turns: readonly LiveTurn[]): void {
    for (const turn of turns) {
      this.wakeReaders.forEach((wake) => wake(turn));
      this.tell("turn", turn);
    }
  }

  private noteLag(bufferedS: number): void {
    if (this.isLate ? bufferedS >= IN_TIME_S : bufferedS <= LATE_S) return;
    this.isLate = !this.isLate;
    this.tell("lag", { bufferedS });
  }

  private stopWith(error: Error): void {
    if (this.over !== null) return;
    this.stream.stop();
    this.end(error);
  }

  private end(error: Error | null): void {
    this.over = { error };
    this.detach();
    this.forgetAbort?.();
    this.wakeReaders.forEach((wake) => wake(null));
    if (error === null) return;
    this.onOver?.(error);
    // An app without such a listener meets it at the next push, or at the close.
    if (this.listenerCount("error") > 0) this.tell("error", error);
  }

  private tell<E extends keyof LiveEvents>(event: E, ...args: LiveEvents[E]): void {
    // Later, so that a listener that throws cannot stop us halfway.
    queueMicrotask(() => this.emit(event, ...args));
  }
}

function check(options: LiveOptions): void {
  const { sampleRateHz, channels = 1, encoding = "f32le", maxWaitingS = MAX_WAITING_S } = options;
  if (!Number.isInteger(sampleRateHz) || sampleRateHz <= 0) {
    throw new InvalidParams(`sampleRateHz must be a rate such as 16000, not ${sampleRateHz}`);
  }
  if (!Number.isInteger(channels) || channels <= 0) {
    throw new InvalidParams(`channels must be how many there are, not ${channels}`);
  }
  if (encoding !== "f32le" && encoding !== "s16le") {
    throw new InvalidParams(`encoding must be "f32le" or "s16le", not ${String(encoding)}`);
  }
  if (!(maxWaitingS > 0)) {
    throw new InvalidParams(`maxWaitingS must be above 0, not ${String(maxWaitingS)}`);
  }
}

/** What `samples` are on the wire, as bytes of their own. */
function pushedBytes(samples: unknown, encoding: "f32le" | "s16le"): Uint8Array {
  if (isUint8Array(samples)) return Uint8Array.from(samples);
  const type = typeNameOf(samples);
  if (type === "Float32Array" && encoding === "f32le") {
    return Uint8Array.from(bytesOf(samples as Float32Array));
  }
  if (type === "Int16Array") {
    const integers = samples as Int16Array;
    if (encoding === "s16le") return Uint8Array.from(bytesOf(integers));
    return bytesOf(Float32Array.from(integers, (value) => value / 32_768));
  }
  throw new InvalidParams(
    `a stream of ${encoding} takes ${encoding === "f32le" ? "a Float32Array, " : ""}an ` +
      `Int16Array or bytes, not ${type}`,
  );
}
