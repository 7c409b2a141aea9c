/**
 * What a page of an Electron app may ask of the main process, and how it is told. Types alone: a
 * sandboxed preload script can load no other file.
 */

import type { DiarizeResult } from "./diarization_reports.js";
import type {
  LiveCloseOptions,
  LiveLag,
  LiveLevel,
  LiveRestart,
  LiveTurn,
} from "./live_reports.js";
import type { IdentifyResult, EnrollResult, ForgetResult } from "./people_reports.js";
import type { PersonDetails, PersonReport } from "./people_reports.js";
import type { RequestProgress, SpeechResult } from "./reports.js";
import type { ErrorReport } from "./sidecar_error.js";
import type { ServiceReport } from "./speaker_service.js";

/** Calls are invoked and answered, samples are sent, and news comes back. */
export type Channel = "speaker-sidecar:call" | "speaker-sidecar:push" | "speaker-sidecar:news";

/** Samples, or a file that the person chose or dropped: a long one is sent as its path. */
export type PageAudio =
  | File
  | { readonly samples: Float32Array; readonly sampleRateHz: number; readonly channels?: number };

/** An audio as it comes to the main process. */
export type SentAudio =
  | { readonly path: string }
  | { readonly file: ArrayBuffer }
  | { readonly samples: Float32Array; readonly sampleRateHz: number; readonly channels?: number };

/** Options of a stream from a page. */
export interface PageLiveOptions {
  readonly sampleRateHz: number;
  /** Default: 1. */
  readonly channels?: number;
  /** Ask the gallery who the speakers are. Default: false. */
  readonly identify?: boolean;
  readonly detail?: "turns" | "levels";
}

/** Options of `diarize` that can be sent. */
export type PageDiarizeOptions = Omit<LiveCloseOptions, "signal"> & { readonly identify?: boolean };

/** A voice of a person: exactly one of `audio` and `embeddings`. */
export interface PageEnrolment<A = PageAudio> {
  readonly name?: string;
  readonly id?: string;
  readonly audio?: A;
  /** A final turn or a speaker that has been told, with its fingerprint. */
  readonly embeddings?: readonly PageEmbedding[];
}

/** An embedding to keep. */
export interface PageEmbedding {
  readonly embedding: Float32Array;
  readonly fingerprint: string;
  readonly speechS: number;
}

/** What may be called in the main process: arguments and result of each. */
export interface Calls {
  /** Tells the page the report as it is, and each that follows. */
  "service.follow": () => void;
  "service.restart": () => void;
  "live.open": (task: string, options: PageLiveOptions) => void;
  "live.close": (task: string, options: Omit<LiveCloseOptions, "signal">) => DiarizeResult;
  /** Of `live.open` and `diarize`. */
  cancel: (task: string) => void;
  speech: (audio: SentAudio) => SpeechResult;
  diarize: (task: string, audio: SentAudio, options: PageDiarizeOptions) => DiarizeResult;
  "people.list": () => PersonReport[];
  "people.get": (id: string) => PersonDetails;
  "people.enroll": (enrolment: PageEnrolment<SentAudio>) => EnrollResult;
  "people.rename": (id: string, name: string) => PersonReport;
  "people.forget": (id: string, print?: string) => ForgetResult;
  "people.identify": (audio: SentAudio) => IdentifyResult;
}

/** An error as plain data: Electron carries no class across, and no field but the message. */
export type SentError = ErrorReport;

/** What a call came to. */
export type Answer<T> = { readonly value: T } | { readonly error: SentError };

/** What is told of a task. */
export type News =
  | { readonly event: "turn"; readonly value: LiveTurn }
  | { readonly event: "level"; readonly value: LiveLevel }
  | { readonly event: "lag"; readonly value: LiveLag }
  | { readonly event: "restarted"; readonly value: LiveRestart }
  | { readonly event: "error"; readonly value: SentError }
  | { readonly event: "progress"; readonly value: RequestProgress }
  | { readonly event: "service"; readonly value: ServiceReport };

/** Under which name news of the service is told. */
export type ServiceTask = "service";

/** Something that takes long: under which name it can be cancelled, and its answer. */
export interface Task<T> {
  readonly task: string;
  readonly answer: Promise<Answer<T>>;
}

/** `window.speakerSidecar`, as the preload script makes it. */
export interface Bridge {
  followService(onReport: (report: ServiceReport) => void): Promise<Answer<void>>;
  restartService(): Promise<Answer<void>>;
  openLive(options: PageLiveOptions, onNews: (news: News) => void): Task<void>;
  push(task: string, samples: Float32Array): void;
  closeLive(
    task: string,
    options: Omit<LiveCloseOptions, "signal">,
  ): Promise<Answer<DiarizeResult>>;
  cancel(task: string): Promise<Answer<void>>;
  speech(audio: PageAudio): Promise<Answer<SpeechResult>>;
  diarize(
    audio: PageAudio,
    options: PageDiarizeOptions,
    onNews: (news: News) => void,
  ): Task<DiarizeResult>;
  list(): Promise<Answer<PersonReport[]>>;
  get(id: string): Promise<Answer<PersonDetails>>;
  enroll(enrolment: PageEnrolment): Promise<Answer<EnrollResult>>;
  rename(id: string, name: string): Promise<Answer<PersonReport>>;
  forget(id: string, print?: string): Promise<Answer<ForgetResult>>;
  identify(audio: PageAudio): Promise<Answer<IdentifyResult>>;
}
