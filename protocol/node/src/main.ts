/** The main process's part: it answers pages, and hears their microphones by `live`. */

import type { Answer, Calls, Channel, LiveNews, SentAudio } from "./bridge.js";
import type { Page, PageCalls, PageEvent, PagePermissions } from "./electron_pages.js";
import { PageStreams } from "./page_streams.js";
import { sentError } from "./sent_error.js";
import type { SpeakerSidecar } from "./sidecar.js";

export type { Frame, Page, PageCalls, PageEvent, PagePermissions } from "./electron_pages.js";

/** Options of `serveSpeaker`. */
export interface ServeOptions {
  /** Electron's. */
  readonly ipcMain: PageCalls;
  readonly sidecar: Pick<SpeakerSidecar, "live" | "diarize" | "people">;
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
  const streams = new PageStreams((options) => sidecar.live(options));
  const { people } = sidecar;

  function handlersFor(page: Page) {
    const handlers: {
      [N in keyof Calls]: (...args: Parameters<Calls[N]>) => Promise<ReturnType<Calls[N]>>;
    } = {
      "live.open": async (live, options) => streams.open(page, live, options, tellOf(page, live)),
      "live.close": (live, options) => streams.close(page, live, options ?? {}),
      "live.stop": async (live) => streams.stop(page, live),
      diarize: (audio, options) => sidecar.diarize(checked(audio), { ...options }),
      "people.list": () => people.list(),
      "people.get": (id) => people.get(id),
      "people.enroll": ({ audio, ...enrolment }) =>
        people.enroll(audio === undefined ? enrolment : { ...enrolment, audio: checked(audio) }),
      "people.rename": (id, name) => people.rename(id, name),
      "people.forget": (id, print) => people.forget(id, { print }),
      "people.identify": (audio) => people.identify(checked(audio)),
    };
    return handlers;
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
  ipcMain.on(push, (event, live: string, samples: Float32Array) => {
    if (isAllowed(event, origins)) streams.push(event.sender, live, samples);
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

function tellOf(page: Page, live: string) {
  const news: Channel = "speaker-sidecar:news";
  return (told: LiveNews) => {
    if (!page.isDestroyed()) page.send(news, live, told);
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
