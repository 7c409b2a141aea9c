/// <reference lib="dom" />
/** The page's part: the microphone to answers. It needs the preload script's bridge. */

import { bridgeOf, valueOf } from "./answers.js";
import type { PageAudio, PageDiarizeOptions, PageEnrolment } from "./bridge.js";
import type { DiarizeResult } from "./diarization_reports.js";
import { Cancelled } from "./errors.js";
import type { EnrollResult, ForgetResult, IdentifyResult } from "./people_reports.js";
import type { PersonDetails, PersonReport } from "./people_reports.js";
import type { RequestProgress, SpeechResult } from "./reports.js";
import type { ServiceReport } from "./speaker_service.js";

export { listen, type ListenOptions, type Listening } from "./listening.js";
export { microphones, openMicrophone, MICROPHONE_RATE_HZ } from "./microphone.js";
export type {
  Microphone,
  MicrophoneLevel,
  MicrophoneListener,
  MicrophoneOptions,
} from "./microphone.js";
export { speaking, type Speaking } from "./speaking.js";
export type { PageAudio, PageDiarizeOptions, PageEmbedding, PageEnrolment } from "./bridge.js";
export type { LiveTurn } from "./live_reports.js";
export type { DiarizeResult, RequestProgress, ServiceReport, SpeechResult };

/** Options of `diarize`. */
export interface DiarizeFileOptions extends PageDiarizeOptions {
  /** Told how many seconds were heard, up to four times a second. */
  onProgress?(progress: RequestProgress): void;
  /** Its abort ends it, with `Cancelled`. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Who speaks when in a recording: samples, or a file as long as the disk holds.
 *
 * @throws {Cancelled} `signal` was aborted.
 */
export async function diarize(
  audio: PageAudio,
  { onProgress, signal, ...options }: DiarizeFileOptions = {},
): Promise<DiarizeResult> {
  const bridge = bridgeOf();
  const isAborted = () => signal?.aborted === true;
  if (isAborted()) throw new Cancelled("it was aborted before it began");
  const { task, answer } = bridge.diarize(audio, options, (news) => {
    if (news.event === "progress") onProgress?.(news.value);
  });
  const abort = () => void bridge.cancel(task);
  signal?.addEventListener("abort", abort, { once: true });
  try {
    const result = valueOf(await answer);
    // An abort may come before the main process has been asked.
    if (isAborted()) throw new Cancelled("it was aborted");
    return result;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/** Where somebody speaks, and for how long in all: what is missing until a person is enrolled. */
export async function speech(audio: PageAudio): Promise<SpeechResult> {
  return valueOf(await bridgeOf().speech(audio));
}

/** Whom the sidecar knows by voice; as `sidecar.people`. */
export const people = {
  list: async (): Promise<PersonReport[]> => valueOf(await bridgeOf().list()),
  get: async (id: string): Promise<PersonDetails> => valueOf(await bridgeOf().get(id)),
  enroll: async (enrolment: PageEnrolment): Promise<EnrollResult> =>
    valueOf(await bridgeOf().enroll(enrolment)),
  rename: async (id: string, name: string): Promise<PersonReport> =>
    valueOf(await bridgeOf().rename(id, name)),
  forget: async (id: string, print?: string): Promise<ForgetResult> =>
    valueOf(await bridgeOf().forget(id, print)),
  identify: async (audio: PageAudio): Promise<IdentifyResult> =>
    valueOf(await bridgeOf().identify(audio)),
};

/** What the sidecar is doing: an app can live without it, and say so. */
export const service = {
  /** Tell `listener` the report as it is, and each that follows; a page has one such listener. */
  follow: async (listener: (report: ServiceReport) => void): Promise<void> =>
    valueOf(await bridgeOf().followService(listener)),

  /** Start it once more, if it has failed; how that goes is reported. */
  restart: async (): Promise<void> => valueOf(await bridgeOf().restartService()),
};
