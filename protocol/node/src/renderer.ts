/// <reference lib="dom" />
/** The page's part: the microphone to answers. It needs the preload script's bridge. */

import type {
  Answer,
  Bridge,
  PageAudio,
  PageDiarizeOptions,
  PageEnrolment,
  SentError,
} from "./bridge.js";
import { restoreError } from "./error_classes.js";
import type { DiarizeResult } from "./diarization_reports.js";
import type { LiveCloseOptions, LiveLag, LiveRestart, LiveTurn } from "./live_reports.js";
import {
  MICROPHONE_RATE_HZ,
  openMicrophone,
  type MicrophoneLevel,
  type MicrophoneOptions,
} from "./microphone.js";
import type { EnrollResult, ForgetResult, IdentifyResult } from "./people_reports.js";
import type { PersonDetails, PersonReport } from "./people_reports.js";

export { microphones, openMicrophone, MICROPHONE_RATE_HZ } from "./microphone.js";
export type {
  Microphone,
  MicrophoneLevel,
  MicrophoneListener,
  MicrophoneOptions,
} from "./microphone.js";
export type { PageAudio, PageDiarizeOptions, PageEmbedding, PageEnrolment } from "./bridge.js";
export type { DiarizeResult, LiveTurn };

/** Options of `listen`. */
export interface ListenOptions extends MicrophoneOptions {
  /** Ask the gallery who the speakers are. Default: false. */
  readonly identify?: boolean | undefined;
  /** Something of a turn is news. */
  onTurn?(turn: LiveTurn): void;
  /** How loud it is, ten times a second. */
  onLevel?(level: MicrophoneLevel): void;
  onLag?(lag: LiveLag): void;
  onRestarted?(restart: LiveRestart): void;
  /** It has ended with this error; so does `close`. */
  onError?(error: Error): void;
}

/** The microphone is heard. */
export interface Listening {
  /** The microphone's name. */
  readonly label: string;
  /** What is known of each turn, in the order in which they were noticed. */
  readonly turns: readonly LiveTurn[];
  /** End it: who spoke when, in hindsight. */
  close(options?: Omit<LiveCloseOptions, "signal">): Promise<DiarizeResult>;
  /** End it without a result. */
  stop(): Promise<void>;
}

/** Open the microphone, and tell who speaks. See `openMicrophone` for what it throws. */
export async function listen(options: ListenOptions = {}): Promise<Listening> {
  const bridge = bridgeOf();
  const turns = new Map<number, LiveTurn>();
  let failure: Error | null = null;
  let microphone: { close(): Promise<void> } | null = null;
  const fail = (error: Error) => {
    if (failure !== null) return;
    failure = error;
    void microphone?.close();
    options.onError?.(error);
  };
  const { identify = false } = options;
  const opening = { sampleRateHz: MICROPHONE_RATE_HZ, identify };
  const { live, opened } = bridge.openLive(opening, (news) => {
    if (news.event === "turn") {
      turns.set(news.value.turn, news.value);
      options.onTurn?.(news.value);
    }
    if (news.event === "lag") options.onLag?.(news.value);
    if (news.event === "restarted") options.onRestarted?.(news.value);
    if (news.event === "error") fail(errorOf(news.value));
  });
  valueOf(await opened);
  try {
    const open = await openMicrophone(options, {
      onSamples: (samples, level) => {
        if (failure !== null) return;
        bridge.push(live, samples);
        options.onLevel?.(level);
      },
      onEnded: () => {
        fail(new DOMException("the microphone was unplugged or taken away", "NotReadableError"));
        void bridge.stopLive(live);
      },
    });
    microphone = open;
    if (failure !== null) {
      // It failed while a person was asked: a microphone that nobody hears is closed.
      await open.close();
      throw failure;
    }
    return {
      label: open.label,
      get turns() {
        return [...turns.values()];
      },
      async close(how = {}) {
        await open.close();
        if (failure !== null) throw failure;
        return valueOf(await bridge.closeLive(live, how));
      },
      async stop() {
        await open.close();
        valueOf(await bridge.stopLive(live));
      },
    };
  } catch (error) {
    await bridge.stopLive(live);
    throw error;
  }
}

/** Who speaks when in a recording: samples, or a file as long as the disk holds. */
export async function diarize(
  audio: PageAudio,
  options: PageDiarizeOptions = {},
): Promise<DiarizeResult> {
  return valueOf(await bridgeOf().diarize(audio, options));
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

function bridgeOf(): Bridge {
  const { speakerSidecar } = globalThis as { speakerSidecar?: Bridge };
  if (speakerSidecar !== undefined) return speakerSidecar;
  throw new Error("there is no window.speakerSidecar: the window's preload script must expose it");
}

function valueOf<T>(answer: Answer<T>): T {
  if ("error" in answer) throw errorOf(answer.error);
  return answer.value;
}

/** As it was in the main process: one of the package's classes, which `speaker-sidecar/errors` has. */
function errorOf(sent: SentError): Error {
  const { name, kind, message } = sent;
  return restoreError(sent) ?? Object.assign(new Error(message), { name, kind });
}
