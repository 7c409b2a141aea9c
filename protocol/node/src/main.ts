/** The main process's part: it answers pages, and hears their microphones by `live`. */

import { onAbort } from "./abort.js";
import type { Answer, Calls, Channel, News, SentAudio, ServiceTask } from "./bridge.js";
import type { PageDiarizeOptions } from "./bridge.js";
import type { DiarizeResult } from "./diarization_reports.js";
import type { Page, PageCalls, PageEvent, PagePermissions } from "./electron_pages.js";
import { PageStreams } from "./page_streams.js";
import { PageTasks } from "./page_tasks.js";
import type { RequestProgress } from "./reports.js";
import { sentError } from "./sent_error.js";
import type { SpeakerSidecar } from "./sidecar.js";
import { SpeakerService, type ServiceReport } from "./speaker_service.js";

export type { Frame, Page, PageCalls, PageEvent, PagePermissions } from "./electron_pages.js";
export { SpeakerService, type ServiceReport, type StartSidecar } from "./speaker_service.js";

/** Options of `serveSpeaker`. */
export interface ServeOptions {
  /** Electron's. */
  readonly ipcMain: PageCalls;
  /** One that runs, or a service, which may be starting or out of order. */
  readonly sidecar: SpeakerSidecar | SpeakerService;
  /**
   * Whose pages are answered: `file://` (the default), an app's own `app://main`, a development
   * server's `http://localhost:5173`. Frames inside of a page never are.
   */
  readonly origins?: readonly string[];
}

const FILES = "file://";

/** Answer the pages that have the preload script's bridge. Call it once. */
export function serveSpeaker({ ipcMain, sidecar, origins = [FILES] }: ServeOptions): void {
  const call: Channel = "speaker-sidecar:call";
  const push: Channel = "speaker-sidecar:push";
  const service = "sidecar" in sidecar ? sidecar : new SpeakerService(async () => sidecar);
  const tasks = new PageTasks();
  const streams = new PageStreams(tasks);
  const people = async () => (await service.sidecar).people;

  function handlersFor(page: Page) {
    const handlers: {
      [N in keyof Calls]: (...args: Parameters<Calls[N]>) => Promise<ReturnType<Calls[N]>>;
    } = {
      "service.follow": async () => follow(page),
      "service.restart": () => service.restart(),
      "live.open": (task, options) =>
        streams.open(page, task, options, service.sidecar, tellOf(page, task)),
      "live.close": (task, options) => streams.close(page, task, options ?? {}),
      cancel: async (task) => tasks.cancel(page, task),
      speech: async (audio) => (await service.sidecar).speech(checked(audio)),
      diarize: (task, audio, options) => diarize(page, task, checked(audio), options),
      "people.list": async () => (await people()).list(),
      "people.get": async (id) => (await people()).get(id),
      "people.enroll": async ({ audio, ...enrolment }) => {
        const voice = audio === undefined ? {} : { audio: checked(audio) };
        return (await people()).enroll({ ...enrolment, ...voice });
      },
      "people.rename": async (id, name) => (await people()).rename(id, name),
      "people.forget": async (id, print) => (await people()).forget(id, { print }),
      "people.identify": async (audio) => (await people()).identify(checked(audio)),
    };
    return handlers;
  }

  /** Tell `page` the report, and each that follows. */
  function follow(page: Page): void {
    const task: ServiceTask = "service";
    tasks.cancel(page, task);
    const tell = tellOf(page, task);
    const report = (value: ServiceReport) => tell({ event: "service", value });
    onAbort(tasks.begin(page, task), service.onReport(report));
    report(service.report);
  }

  async function diarize(
    page: Page,
    task: string,
    audio: SentAudio,
    options: PageDiarizeOptions,
  ): Promise<DiarizeResult> {
    const signal = tasks.begin(page, task);
    const tell = tellOf(page, task);
    const onProgress = (value: RequestProgress) => tell({ event: "progress", value });
    try {
      return await (await service.sidecar).diarize(audio, { ...options, signal, onProgress });
    } finally {
      tasks.end(page, task);
    }
  }

  ipcMain.handle(call, async (event, name: keyof Calls, ...args: unknown[]) => {
    if (!isAllowed(event, origins)) return refusal(event);
    const handler = Object.entries(handlersFor(event.sender)).find(([known]) => known === name);
    try {
      if (handler === undefined) throw new TypeError(`there is no call ${String(name)}`);
      const ask = handler[1] as (...args: unknown[]) => Promise<unknown>;
      return { value: await ask(...args) } satisfies Answer<unknown>;
    } catch (error) {
      return { error: sentError(error) } satisfies Answer<unknown>;
    }
  });
  ipcMain.on(push, (event, task: string, samples: Float32Array) => {
    if (isAllowed(event, origins)) streams.push(event.sender, task, samples);
  });
}

/** Let the pages of `origins` use the microphone, and nothing else. */
export function allowMicrophone(session: PagePermissions, origins: readonly string[] = [FILES]) {
  session.setPermissionRequestHandler((_page, permission, allow, details) => {
    const { mediaTypes = [], requestingUrl } = details;
    const isAudio = mediaTypes.length > 0 && mediaTypes.every((type) => type === "audio");
    allow(permission === "media" && isAudio && origins.includes(originOf(requestingUrl)));
  });
  session.setPermissionCheckHandler((_page, permission, origin, { mediaType }) => {
    return permission === "media" && mediaType === "audio" && origins.includes(originOf(origin));
  });
}

function tellOf(page: Page, task: string) {
  const news: Channel = "speaker-sidecar:news";
  return (told: News) => {
    if (!page.isDestroyed()) page.send(news, task, told);
  };
}

function isAllowed({ senderFrame }: PageEvent, origins: readonly string[]): boolean {
  // A frame that has gone on to another page has none.
  if (senderFrame === null || senderFrame.parent !== null) return false;
  return origins.includes(originOf(senderFrame.url));
}

/** `URL.origin`, also where a scheme is not of the web's own: there that says "null". */
function originOf(url: string): string {
  try {
    const { protocol, host } = new URL(url);
    return protocol === "file:" ? FILES : `${protocol}//${host}`;
  } catch {
    return url;
  }
}

function refusal({ senderFrame }: PageEvent): Answer<never> {
  const who = senderFrame === null ? "a frame that is gone" : originOf(senderFrame.url);
  const message = `${who} is not answered: name it in serveSpeaker's origins, if it is yours`;
  return {
    error: { name: "Refused", code: null, kind: "refused", message, retryable: false, details: {} },
  };
}

/** The page is the app's own, but what shows things from outside is not to be trusted. */
function checked(audio: SentAudio): SentAudio {
  const forms = ["path", "file", "samples"].filter((name) => name in Object(audio));
  if (forms.length !== 1) throw new TypeError("audio must be a File, or samples and their rate");
  return audio;
}
