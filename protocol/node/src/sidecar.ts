/** What an app uses: one sidecar, its methods and its events. */

import { EventEmitter } from "node:events";

import { checkNumber } from "./argument_checks.js";
import { audioToWire, segmentsToWire, type Audio, type Segment } from "./audio.js";
import { Batch } from "./batch.js";
import { call } from "./calls.js";
import type { DiarizeResult } from "./diarization_reports.js";
import { InvalidParams } from "./errors.js";
import type { SidecarEvents, SidecarState } from "./events.js";
import { Live } from "./live.js";
import type { LiveOptions } from "./live_reports.js";
import { LiveStreams } from "./live_streams.js";
import type { CallOptions, EmbedBatchOptions, EmbedManyOptions, EmbedOptions } from "./options.js";
import type { DiarizeOptions, EmbedWindowsOptions } from "./options.js";
import type { ScoreOptions, StartOptions } from "./options.js";
import type { WireMap } from "./payload.js";
import { People, type Ask } from "./people.js";
import type { EmbedResult, EmbedWindowsResult, Health, Hello } from "./reports.js";
import type { Metrics, ProbeResult, ScoreResult, SpeechResult } from "./reports.js";
import {
  readBatch,
  readDiarize,
  readEmbed,
  readEmbedWindows,
  readPlain,
  readSpeech,
  type BatchItem,
  type BatchItems,
} from "./results.js";
import { startUnlessAborted, supervisorOptions } from "./start.js";
import { Supervisor } from "./supervisor.js";
import type { SupervisorOptions } from "./supervision.js";
import { isStored, voiceToWire, type Voice } from "./voice.js";
import {
  demand,
  diarizeParams,
  embedManyParams,
  embedParams,
  scoreParams,
} from "./wire_options.js";

export interface SpeakerSidecar {
  on<E extends keyof SidecarEvents>(event: E, listener: (...args: SidecarEvents[E]) => void): this;
  once<E extends keyof SidecarEvents>(
    event: E,
    listener: (...args: SidecarEvents[E]) => void,
  ): this;
  off<E extends keyof SidecarEvents>(event: E, listener: (...args: SidecarEvents[E]) => void): this;
}

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
    const { onStateChange } = options;
    if (onStateChange !== undefined) this.on("state", onStateChange);
    this.supervisor = new Supervisor(options, {
      onState: (state) => this.tell("state", state),
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
   * @throws {ModelUnavailable} it has not the model that it is to load, and says so at once.
   * @throws {ProtocolMismatch} it speaks another version of the protocol.
   * @throws {Cancelled} `signal` was aborted before that; the child ends.
   */
  static async start(options: StartOptions): Promise<SpeakerSidecar> {
    const sidecar = new SpeakerSidecar(supervisorOptions(options));
    await startUnlessAborted(sidecar.supervisor, options.signal);
    return sidecar;
  }

  /** What it is doing; the event `state` tells each change. */
  get state(): SidecarState {
    return this.supervisor.state;
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
    const batch = new Batch(audios, this.hello.limits.maxBatchItems);
    const { items } = batch;
    const params = { items, ...embedManyParams(options, this.hello) };
    if (items.length === 0) return batch.outcomes([]);
    const request = { nAudios: items.length };
    return batch.outcomes(readBatch(await this.call("embed_batch", params, request, options)));
  }

  /** One embedding for each window of `windowS` seconds, one every `hopS`. */
  async embedWindows(audio: Audio, options: EmbedWindowsOptions): Promise<EmbedWindowsResult> {
    checkNumber("windowS", options?.windowS, { least: 0 });
    checkNumber("hopS", options.hopS, { least: 0 });
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
      a: voiceToWire(a, protocolMinor, "a"),
      b: voiceToWire(b, protocolMinor, "b"),
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
    checkNumber("drainMs", drainMs, { least: 0 });
    await this.supervisor.close(drainMs);
  }

  /** `await using` closes it at the end of its block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /**
   * Another child in place of the one that runs, was given up, or was closed; what has no answer is
   * sent to it. It is tried as often as at first, and with the device that the arguments name.
   * Resolves at its hello.
   *
   * @throws {SidecarError} as `start` does; then it can be called again.
   */
  async restart(): Promise<void> {
    await this.supervisor.restart();
  }

  /** Let the process end although the child runs; only calls that are pending keep it. */
  unref(): this {
    this.supervisor.unref = true;
    return this;
  }

  /** Take `unref` back. */
  ref(): this {
    this.supervisor.unref = false;
    return this;
  }

  private call(...[method, params, request, options]: Ask): Promise<WireMap> {
    return call(this.supervisor, method, params, request, options);
  }

  private tell<E extends keyof SidecarEvents>(event: E, ...args: SidecarEvents[E]): void {
    // Later, so that a listener that throws cannot stop us halfway.
    queueMicrotask(() => this.emit(event, ...args));
  }
}
