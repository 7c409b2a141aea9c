/** What an app uses: one sidecar, its methods and its events. */

import { EventEmitter } from "node:events";

import { cancelledBy, onAbort } from "./abort";
import { audioToWire, segmentsToWire, type Audio, type Segment } from "./audio";
import { Child } from "./child";
import { SYSTEM_CLOCK } from "./clock";
import type { DiarizeResult } from "./diarization_reports";
import { DeadlineExceeded, InvalidParams } from "./errors";
import type { SidecarEvents } from "./events";
import { Live } from "./live";
import type { LiveOptions } from "./live_reports";
import { LiveStreams } from "./live_streams";
import type { Method } from "./messages";
import type { CallOptions, EmbedBatchOptions, EmbedManyOptions, EmbedOptions } from "./options";
import type { DiarizeOptions, EmbedWindowsOptions, LongCallOptions } from "./options";
import type { ScoreOptions, StartOptions } from "./options";
import type { WireMap } from "./payload";
import { People } from "./people";
import type { EmbedResult, EmbedWindowsResult, Health, Hello } from "./reports";
import type { Metrics, ProbeResult, ScoreResult, SpeechResult } from "./reports";
import type { RequestOptions } from "./request";
import { RESTART_DELAYS_MS } from "./restart_policy";
import {
  readBatch,
  readDiarize,
  readEmbed,
  readEmbedWindows,
  readPlain,
  readSpeech,
  type BatchItem,
  type BatchItems,
} from "./results";
import { Supervisor, type SupervisorOptions } from "./supervisor";
import { isStored, voiceToWire, type Voice } from "./voice";
import { demand, diarizeParams, embedManyParams, embedParams, scoreParams } from "./wire_options";

export interface SpeakerSidecar {
  on<E extends keyof SidecarEvents>(event: E, listener: (...args: SidecarEvents[E]) => void): this;
  once<E extends keyof SidecarEvents>(
    event: E,
    listener: (...args: SidecarEvents[E]) => void,
  ): this;
  off<E extends keyof SidecarEvents>(event: E, listener: (...args: SidecarEvents[E]) => void): this;
}

const DEFAULTS = {
  restartDelaysMs: RESTART_DELAYS_MS,
  healthIntervalMs: 5_000,
  healthTimeoutMs: 10_000,
  helloTimeoutMs: 60_000,
  loadTimeoutMs: 300_000,
  maxPending: 4_096,
  maxPendingBytes: 256 * 2 ** 20,
} as const;

/**
 * A sidecar that is kept alive: its child is replaced when it dies or hangs, and what had no answer
 * is sent again. Every call settles once.
 */
export class SpeakerSidecar extends EventEmitter {
  /** Whom the child knows by voice. */
  readonly people: People;

  private readonly supervisor: Supervisor;
  private readonly streams = new LiveStreams();

  private constructor(private readonly options: SupervisorOptions) {
    super();
    this.supervisor = new Supervisor(options, {
      onHealth: (health) => {
        if (health.state === "ready" || health.state === "degraded") this.streams.childServes();
        this.tell("health", health);
      },
      onProgress: (progress) => this.tell("progress", progress),
      onExit: (exit) => {
        this.streams.childEnded(exit.reason, exit.willRestart);
        this.tell("exit", exit);
      },
      onRestart: (restart) => this.tell("restart", restart),
      onLog: (line) => this.tell("log", line),
      onStream: (method, params) => this.streams.take(method, params),
    });
    this.people = new People(
      () => this.hello,
      (...call) => this.call(...call),
    );
  }

  /**
   * Start a sidecar. It resolves at the child's hello, before its model is loaded: calls wait.
   *
   * @throws {ChildGone} no child could be started; the message says why.
   * @throws {ProtocolMismatch} it speaks another version of the protocol.
   */
  static async start(options: StartOptions): Promise<SpeakerSidecar> {
    const given = Object.entries(options).filter(([, value]) => value !== undefined);
    const sidecar = new SpeakerSidecar({
      ...DEFAULTS,
      ...(Object.fromEntries(given) as unknown as StartOptions),
      clock: SYSTEM_CLOCK,
      startChild: (...child) => new Child(...child),
    } as SupervisorOptions);
    await sidecar.supervisor.start();
    return sidecar;
  }

  /** The child's first words: its version, its capabilities and its limits. */
  get hello(): Hello {
    return this.supervisor.hello!;
  }

  /** What the child last said of its state, device and model; null: nothing so far. */
  get lastHealth(): Health | null {
    return this.supervisor.health;
  }

  /** The process that was started; null while there is none. */
  get pid(): number | null {
    return this.supervisor.pid;
  }

  /** Calls that have not settled. */
  get nPending(): number {
    return this.supervisor.nPending;
  }

  /** Bytes that were written to the child and not taken by it yet. */
  get bufferedBytes(): number {
    return this.supervisor.bufferedBytes;
  }

  /** One audio to one embedding. */
  async embed(audio: Audio, options: EmbedOptions = {}): Promise<EmbedResult> {
    const params = { audio: audioToWire(audio), ...embedParams(options, this.hello) };
    return readEmbed(await this.call("embed", params, { nAudios: 1 }, options));
  }

  /** Some audios to as many outcomes, in their order; one that fails spoils no other. */
  async embedBatch(
    audios: readonly Audio[],
    options: EmbedBatchOptions = {},
  ): Promise<BatchItem[]> {
    const params = { items: audios.map(audioToWire), ...embedManyParams(options, this.hello) };
    const nAudios = audios.length;
    return readBatch(await this.call("embed_batch", params, { nAudios }, options));
  }

  /** One embedding for each window of `windowS` seconds, one every `hopS`. */
  async embedWindows(audio: Audio, options: EmbedWindowsOptions): Promise<EmbedWindowsResult> {
    const params = {
      audio: audioToWire(audio),
      window_s: options.windowS,
      hop_s: options.hopS,
      ...embedManyParams(options, this.hello),
    };
    return readEmbedWindows(await this.call("embed_windows", params, { nAudios: 1 }, options));
  }

  /**
   * One outcome for each of many parts of one audio, in their order; the audio is sent and decoded
   * once. Each embedding is that of `embed` for this part; one that fails spoils no other.
   *
   * @throws {MethodNotFound} the child is of contract 1.0.
   */
  async embedSegments(
    audio: Audio,
    segments: readonly Segment[],
    options: EmbedManyOptions = {},
  ): Promise<BatchItems> {
    const wireAudio = audioToWire(audio);
    if (wireAudio.start_s !== undefined || wireAudio.end_s !== undefined) {
      throw new InvalidParams(
        "audio must have no startS and no endS: the segments say which parts",
      );
    }
    const params = {
      audio: wireAudio,
      segments: segmentsToWire(segments),
      ...embedManyParams(options, this.hello),
    };
    return readBatch(await this.call("embed_segments", params, { nAudios: 1 }, options));
  }

  /**
   * What an audio is: its format, length, rate and channels, and what is odd about it. Answered
   * while the model loads, too; little of it is decoded.
   */
  async probe(audio: Audio, options: CallOptions = {}): Promise<ProbeResult> {
    const params = { audio: audioToWire(audio), deadline_ms: options.deadlineMs };
    return readPlain(await this.call("probe", params, { nAudios: 1 }, options));
  }

  /**
   * Where in an audio somebody speaks. It may be as long as the disk holds.
   *
   * @throws {MethodNotFound} the child is older than contract 1.2.
   */
  async speech(audio: Audio, options: CallOptions = {}): Promise<SpeechResult> {
    demand(this.hello, "speech", "speech");
    const params = { audio: audioToWire(audio), deadline_ms: options.deadlineMs };
    return readSpeech(await this.call("speech", params, { nAudios: 1 }, options));
  }

  /**
   * Who speaks when. The audio may be as long as the disk holds.
   *
   * @throws {MethodNotFound} the child is older than contract 1.2.
   */
  async diarize(audio: Audio, options: DiarizeOptions = {}): Promise<DiarizeResult> {
    demand(this.hello, "diarize", "telling who speaks when");
    const params = { audio: audioToWire(audio), ...diarizeParams(options) };
    return readDiarize(await this.call("diarize", params, { nAudios: 1 }, options));
  }

  /**
   * Who speaks as it happens: push samples as they come, and be told.
   *
   * @throws {MethodNotFound} the child is older than contract 1.3.
   */
  live(options: LiveOptions): Live {
    demand(this.hello, "streams", "a live stream");
    const request = { nAudios: 0, bound: true };
    return new Live(options, {
      clock: this.options.clock,
      fingerprint: () => this.lastHealth?.model?.fingerprint ?? null,
      ask: (method, params, signal) => this.call(method, params, request, { signal }),
      attach: (ears) => this.streams.attach(ears),
    });
  }

  /**
   * How alike two voices are, audios or embeddings that were kept, and what that means: how
   * probable it is that they are one person's. `far` or `prior` say where "the same" begins.
   */
  async score(a: Voice, b: Voice, options: ScoreOptions = {}): Promise<ScoreResult> {
    const { protocolMinor } = this.hello;
    const nAudios = [a, b].filter((voice) => !isStored(voice)).length;
    const params = {
      a: voiceToWire(a, protocolMinor),
      b: voiceToWire(b, protocolMinor),
      ...scoreParams(options, this.hello),
    };
    return readPlain(await this.call("score", params, { nAudios }, options));
  }

  /** The child's state, device and model. Answered while it loads, too. */
  async health(options: CallOptions = {}): Promise<Health> {
    return readPlain(await this.call("health", {}, { nAudios: 0 }, options));
  }

  /** The child's counts and times. Answered while it loads, too. */
  async metrics(options: CallOptions = {}): Promise<Metrics> {
    return readPlain(await this.call("metrics", {}, { nAudios: 0 }, options));
  }

  /**
   * End the child. What is pending has `drainMs` (default: none) to be finished, and is then
   * rejected with `Closed`; a later call may shorten that time. Resolves when the process is gone, at
   * most about 2.5 s later (7 s if the system cannot kill it).
   */
  async close({ drainMs = 0 }: { readonly drainMs?: number | undefined } = {}): Promise<void> {
    await this.supervisor.close(drainMs);
  }

  private async call(
    method: Method,
    params: WireMap,
    requestOptions: RequestOptions,
    { signal, deadlineMs, onProgress }: LongCallOptions,
  ): Promise<WireMap> {
    if (signal !== undefined && typeof signal.addEventListener !== "function") {
      throw new InvalidParams(
        "signal must be an AbortSignal, such as an AbortController's `signal`",
      );
    }
    if (onProgress !== undefined && typeof onProgress !== "function") {
      throw new InvalidParams("onProgress must be a function");
    }
    if (signal?.aborted === true) throw cancelledBy(signal, "the call");
    const request = this.supervisor.submit(method, params, { ...requestOptions, onProgress });
    const withdraw = (error: Error) => this.supervisor.withdraw(request, error);
    const forgetAbort = signal && onAbort(signal, () => withdraw(cancelledBy(signal, "the call")));
    const timer =
      deadlineMs === undefined
        ? null
        : SYSTEM_CLOCK.setTimer(() => {
            withdraw(new DeadlineExceeded(`it was not finished within ${deadlineMs} ms`));
          }, deadlineMs);
    try {
      return await request.answer;
    } finally {
      forgetAbort?.();
      timer?.cancel();
    }
  }

  private tell<E extends keyof SidecarEvents>(event: E, ...args: SidecarEvents[E]): void {
    // Later, so that a listener that throws cannot stop us halfway.
    queueMicrotask(() => this.emit(event, ...args));
  }
}
