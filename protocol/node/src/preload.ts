/// <reference lib="dom" />
/**
 * The preload script's part: all that a page gets of Electron is `window.speakerSidecar`.
 *
 * This file must load no other: a sandboxed preload script cannot. `preload-script` is the same, and
 * does it by itself.
 */

import type { Answer, Bridge, Calls, Channel, News, PageAudio, SentAudio } from "./bridge.js";
import type { ServiceTask } from "./bridge.js";

/** What is needed of the module `electron` in a preload script. */
export interface PreloadElectron {
  readonly contextBridge: { exposeInMainWorld(name: string, api: object): void };
  readonly ipcRenderer: {
    invoke(channel: string, ...args: unknown[]): Promise<unknown>;
    send(channel: string, ...args: unknown[]): void;
    on(channel: string, listener: (event: unknown, ...args: any[]) => void): unknown;
  };
  readonly webUtils: { getPathForFile(file: File): string };
}

/** Give the page its bridge. Call it once, with the module `electron`. */
export function exposeSpeaker({ contextBridge, ipcRenderer, webUtils }: PreloadElectron): void {
  const calls: Channel = "speaker-sidecar:call";
  const pushes: Channel = "speaker-sidecar:push";
  const news: Channel = "speaker-sidecar:news";
  const service: ServiceTask = "service";
  const listeners = new Map<string, (news: News) => void>();
  ipcRenderer.on(news, (_event, task: string, told: News) => listeners.get(task)?.(told));

  async function call<N extends keyof Calls>(
    name: N,
    ...args: Parameters<Calls[N]>
  ): Promise<Answer<ReturnType<Calls[N]>>> {
    return (await ipcRenderer.invoke(calls, name, ...args)) as Answer<ReturnType<Calls[N]>>;
  }

  /** A page may send what it has, and name a file that a person gave it: never a path. */
  async function sent(audio: PageAudio): Promise<SentAudio> {
    if ("samples" in audio) {
      const { samples, sampleRateHz, channels = 1 } = audio;
      return { samples, sampleRateHz, channels };
    }
    const path = webUtils.getPathForFile(audio);
    return path === "" ? { file: await audio.arrayBuffer() } : { path };
  }

  const bridge: Bridge = {
    followService(onReport) {
      listeners.set(service, (told) => {
        if (told.event === "service") onReport(told.value);
      });
      return call("service.follow");
    },
    restartService: () => call("service.restart"),
    openLive(options, onNews) {
      const task = crypto.randomUUID();
      listeners.set(task, onNews);
      return { task, answer: call("live.open", task, options) };
    },
    // By `send`, which copies: to transfer the buffer to the main process would lose the message.
    push: (task, samples) => ipcRenderer.send(pushes, task, samples),
    async closeLive(task, options) {
      const answer = await call("live.close", task, options);
      listeners.delete(task);
      return answer;
    },
    cancel(task) {
      listeners.delete(task);
      return call("cancel", task);
    },
    speech: async (audio) => call("speech", await sent(audio)),
    diarize(audio, options, onNews) {
      const task = crypto.randomUUID();
      listeners.set(task, onNews);
      const answer = (async () => {
        const whole = await call("diarize", task, await sent(audio), options);
        listeners.delete(task);
        return whole;
      })();
      return { task, answer };
    },
    list: () => call("people.list"),
    get: (id) => call("people.get", id),
    async enroll({ audio, ...enrolment }) {
      const whole = audio === undefined ? enrolment : { ...enrolment, audio: await sent(audio) };
      return call("people.enroll", whole);
    },
    rename: (id, name) => call("people.rename", id, name),
    forget: (id, print) => call("people.forget", id, print),
    identify: async (audio) => call("people.identify", await sent(audio)),
  };
  contextBridge.exposeInMainWorld("speakerSidecar", bridge);
}
