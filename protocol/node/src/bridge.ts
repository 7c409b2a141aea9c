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
import type { ErrorReport } from "./sidecar_error.js";

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
  "live.open": (live: string, options: PageLiveOptions) => void;
  "live.close": (live: string, options: Omit<LiveCloseOptions, "signal">) => DiarizeResult;
  "live.stop": (live: string) => void;
  diarize: (audio: SentAudio, options: PageDiarizeOptions) => DiarizeResult;
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

/** What is told of a stream. */
export type LiveNews =
  | { readonly event: "turn"; readonly value: LiveTurn }
  | { readonly event: "level"; readonly value: LiveLevel }
  | { readonly event: "lag"; readonly value: LiveLag }
  | { readonly event: "restarted"; readonly value: LiveRestart }
  | { readonly event: "error"; readonly value: SentError };

/** `window.speakerSidecar`, as the preload script makes it. */
export interface Bridge {
  openLive(
    options: PageLiveOptions,
    onNews: (news: LiveNews) => void,
  ): { readonly live: string; readonly opened: Promise<Answer<void>> };
  push(live: string, samples: Float32Array): void;
  closeLive(
    live: string,
    options: Omit<LiveCloseOptions, "signal">,
  ): Promise<Answer<DiarizeResult>>;
  stopLive(live: string): Promise<Answer<void>>;
  diarize(audio: PageAudio, options: PageDiarizeOptions): Promise<Answer<DiarizeResult>>;
  list(): Promise<Answer<PersonReport[]>>;
  get(id: string): Promise<Answer<PersonDetails>>;
  enroll(enrolment: PageEnrolment): Promise<Answer<EnrollResult>>;
  rename(id: string, name: string): Promise<Answer<PersonReport>>;
  forget(id: string, print?: string): Promise<Answer<ForgetResult>>;
  identify(audio: PageAudio): Promise<Answer<IdentifyResult>>;
}
