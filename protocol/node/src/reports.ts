/** What the child tells: the results of the methods, and the notifications. Units stand in names. */

import type { Segment } from "./audio.js";

export type State = "loading" | "ready" | "degraded" | "draining" | "failed";

/** The child's first words. */
export interface Hello {
  readonly protocol: number;
  readonly protocolMinor: number;
  readonly name: string;
  readonly version: string;
  /** Of the child itself, also where `command` is a script around it. */
  readonly pid: number;
  readonly instance: string;
  readonly capabilities: readonly string[];
  readonly limits: Limits;
}

/** What one child takes at most. `maxInFlight` counts audios, not requests. */
export interface Limits {
  readonly maxFrameBytes: number;
  readonly maxInFlight: number;
  readonly maxBatchItems: number;
  readonly maxQueuedBytes: number;
  readonly maxWindows: number;
  /** Absent in a child of contract 1.0, which has no `embed_segments`. */
  readonly maxSegments?: number;
  /** Streams that may be open. Absent, as the next one, in a child older than contract 1.3. */
  readonly maxStreams?: number;
  /** What each of them holds that was not heard yet. */
  readonly maxStreamBufferS?: number;
}

/** How far a step of the start is; `total` is null where it is not known. */
export interface Progress {
  readonly phase: "download" | "load" | "convert" | "warmup";
  readonly done: number;
  readonly total: number | null;
  readonly unit: string;
}

/**
 * How far a request is; the `total` of windows and seconds is null where the audio's length is not
 * known.
 */
export interface RequestProgress {
  readonly done: number;
  readonly total: number | null;
  readonly unit: "audios" | "windows" | "segments" | "seconds";
}

/** One CUDA device. */
export interface Gpu {
  readonly index: number;
  readonly name: string;
  readonly memoryTotalBytes: number;
  readonly memoryFreeBytes: number;
  readonly computeCapability: string;
}

/** Which device serves, and why that one. */
export interface DeviceReport {
  readonly requested: string;
  readonly selected: string | null;
  readonly reason: string;
  readonly runtime: string | null;
  readonly precision: string | null;
  readonly threads: number | null;
  readonly gpus: readonly Gpu[];
  readonly driver: string | null;
  readonly torch: string | null;
  readonly cuda: string | null;
  readonly cpu: { readonly name: string; readonly cores: number; readonly simd: string };
  readonly selfTest: { readonly passed: boolean; readonly cosine: number } | null;
}

/** Which model serves; `fingerprint` names the space its embeddings lie in. */
export interface ModelReport {
  readonly id: string;
  readonly embeddingDim: number;
  readonly sampleRateHz: number;
  readonly minDurationS: number;
  readonly maxDurationS: number;
  readonly fingerprint: string | null;
  readonly weightsSha256: string | null;
  readonly source: string | null;
}

/** Why a child fails; `retryable`: whether another, started in the same way, may do better. */
export interface HealthError {
  readonly code: number;
  readonly kind: string;
  readonly retryable: boolean;
}

/** The state and everything that explains it. */
export interface Health {
  readonly state: State;
  /** A sentence for people. */
  readonly reason: string;
  readonly device: DeviceReport | null;
  readonly model: ModelReport | null;
  readonly process: {
    readonly rssBytes: number;
    readonly gpuPeakReservedBytes: number | null;
    readonly uptimeS: number;
  };
  readonly activity: {
    readonly queued: number;
    readonly inFlight: number;
    readonly deviceBusyMs: number;
  };
  /** Milliseconds since `hello`, as far as they were reached. */
  readonly timings: { readonly importedMs?: number; readonly readyMs?: number };
  /** With `failed`; absent in a child older than contract 1.3. */
  readonly error?: HealthError;
}

/** Where one request's time went, in the child. */
export interface EmbedTimings {
  readonly decodeMs: number;
  readonly queueMs: number;
  readonly computeMs: number;
}

/** What is odd about an audio that was decoded all the same; some kinds tell more. */
export interface AudioWarning {
  /** A stable word: `missing_end`, `skipped_bytes`, `trailing_data`, `opposite_phase` ... */
  readonly kind: string;
  /** For people. */
  readonly message: string;
  readonly [detail: string]: unknown;
}

/** What an audio is. */
export interface ProbeResult {
  readonly format: string;
  readonly codec: string;
  readonly durationS: number;
  readonly sampleRateHz: number;
  readonly channels: number;
  /** Of a sample; null where that means nothing. */
  readonly bits: number | null;
  readonly warnings?: readonly AudioWarning[];
}

/** What of an audio costs accuracy; a later child may know of more. */
export type QualityFlag =
  | "silent"
  | "little_speech"
  | "quiet"
  | "clipped"
  | "narrow_band"
  | "noisy"
  | "opposite_phase"
  | (string & {});

/** How good an audio is for telling who speaks. It is about all of it, whatever was embedded. */
export interface Quality {
  /** The seconds in which somebody speaks; null: the model that hears it is not there. */
  readonly speechS: number | null;
  /** Of the speech, or of everything where there is none; null: every sample is 0. */
  readonly levelDbfs: number | null;
  /** How far the speech lies above what is between it; null: one of the two is not there. */
  readonly snrDb: number | null;
  /** Of the samples, those in runs at full scale; 0 to 1. */
  readonly clippedShare: number;
  /** Below it lies all but a trace of the energy. */
  readonly bandwidthHz: number | null;
  /** -1 to 1; null: there were no two channels to mix. */
  readonly channelCorrelation: number | null;
  readonly flags: readonly QualityFlag[];
}

/** Where somebody speaks. */
export interface SpeechResult {
  /** In order, in seconds of the audio as it was given; `embedSegments` takes them. */
  readonly segments: readonly Segment[];
  /** Their durations' sum. */
  readonly speechS: number;
  readonly durationS: number;
  readonly warnings?: readonly AudioWarning[];
}

/** One embedding. */
export interface EmbedResult {
  /** `dim` numbers; of length 1 if `normalized`. */
  readonly embedding: Float32Array;
  readonly dim: number;
  readonly model: string;
  /** Embeddings of two fingerprints cannot be compared: keep it beside the embedding. */
  readonly fingerprint: string;
  readonly normalized: boolean;
  /** Of the audio used. */
  readonly durationS: number;
  readonly device: string;
  /** How many audios the device ran together. */
  readonly batchSize: number;
  readonly timings: EmbedTimings;
  /** -1 to 1, where two channels were mixed. */
  readonly channelCorrelation?: number;
  readonly warnings?: readonly AudioWarning[];
  /** Absent in a child older than contract 1.2. */
  readonly quality?: Quality;
}

/** One embedding for each window. */
export interface EmbedWindowsResult {
  /** `count` embeddings of `dim` numbers each. */
  readonly embeddings: readonly Float32Array[];
  readonly count: number;
  readonly dim: number;
  /** Of each window, in the time of the audio as it was given. */
  readonly startsS: readonly number[];
  readonly windowS: number;
  readonly hopS: number;
  readonly model: string;
  readonly fingerprint: string;
  readonly normalized: boolean;
  readonly durationS: number;
  readonly device: string;
  readonly timings: EmbedTimings;
  /** -1 to 1, where two channels were mixed. */
  readonly channelCorrelation?: number;
  readonly warnings?: readonly AudioWarning[];
}

/**
 * What a cosine means. Null or absent: no calibration is there for the model, it is not known how
 * much speech there was, or one of the two has less than 0.5 s of it.
 */
export interface Meaning {
  /** How many times as probable the cosine is of one person as of two: a natural logarithm. */
  readonly llr?: number | null;
  /** That it is one person. */
  readonly probability?: number | null;
  /** Whether `llr` reaches `threshold`. */
  readonly same?: boolean | null;
  readonly threshold?: number | null;
  /** What the threshold was chosen for, for people: `far 1 %`. */
  readonly at?: string | null;
}

/** The cosine of two voices, -1 to 1, and what it means. */
export interface ScoreResult extends Meaning {
  readonly cosine: number;
  readonly fingerprint: string;
  /** Each has a `voice`, the one that it is about: `a` or `b`. */
  readonly warnings?: readonly AudioWarning[];
  /** Of the audios that were sent. */
  readonly qualityA?: Quality;
  readonly qualityB?: Quality;
}

/** Of the times of the audios that the device ran last: half of them took `p50` or less. */
export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

/** Counts since the child's start, and times of late. */
export interface Metrics {
  readonly uptimeS: number;
  /** Requests by `ok` or by error kind. */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly queued: number;
  readonly inFlight: number;
  readonly queuedBytes: number;
  readonly oldestQueuedMs: number;
  readonly batches: number;
  /** How many batches the device ran, by how many audios were in them. */
  readonly batchSizes: Readonly<Record<string, number>>;
  /** Of what the device computed, 0 to 1. */
  readonly paddingShare: number;
  readonly embeddings: number;
  readonly audioS: number;
  readonly deviceBusyMs: number;
  readonly audioSPerDeviceS: number;
  readonly decodeMs: Percentiles | null;
  readonly queueMs: Percentiles | null;
  readonly computeMs: Percentiles | null;
  readonly rssBytes: number;
  readonly gpuPeakReservedBytes: number | null;
}
