/** The live streams of an app's pages. */

import { cancelledBy } from "./abort.js";
import type { News, PageLiveOptions } from "./bridge.js";
import type { DiarizeResult } from "./diarization_reports.js";
import type { Page } from "./electron_pages.js";
import { InvalidParams } from "./errors.js";
import type { Live } from "./live.js";
import type { LiveCloseOptions } from "./live_reports.js";
import type { PageTasks } from "./page_tasks.js";
import { sentError } from "./sent_error.js";
import type { SpeakerSidecar } from "./sidecar.js";

interface PageStream {
  readonly live: Live;
  readonly tell: (news: News) => void;
}

// A page sends a tenth of a second at a time.
const MAX_PUSH_S = 10;

export class PageStreams {
  private readonly streams = new Map<Page, Map<string, PageStream>>();

  constructor(private readonly tasks: PageTasks) {}

  /**
   * Open the stream `name` of `page` in `sidecar`, once that is there; `tell` is told what becomes
   * of it.
   */
  async open(
    page: Page,
    name: string,
    options: PageLiveOptions,
    sidecar: Promise<Pick<SpeakerSidecar, "live">>,
    tell: (news: News) => void,
  ): Promise<void> {
    const signal = this.tasks.begin(page, name);
    const { sampleRateHz, channels, identify, detail } = options;
    let live: Live;
    try {
      const running = await sidecar;
      // Meanwhile the page may be gone, and nobody would end the stream.
      if (signal.aborted) throw cancelledBy(signal, "the stream");
      live = running.live({ sampleRateHz, channels, identify, detail, signal });
    } catch (error) {
      this.tasks.end(page, name);
      throw error;
    }
    const streams = this.streams.get(page) ?? new Map<string, PageStream>();
    this.streams.set(page, streams.set(name, { live, tell }));
    live
      .on("turn", (value) => tell({ event: "turn", value }))
      .on("level", (value) => tell({ event: "level", value }))
      .on("lag", (value) => tell({ event: "lag", value }))
      .on("restarted", (value) => tell({ event: "restarted", value }))
      .on("error", (error) => {
        this.forget(page, name);
        if (!signal.aborted) tell({ event: "error", value: sentError(error) });
      });
  }

  /** Bring `samples` to the stream; one that has ended takes none, and has said so. */
  push(page: Page, name: string, samples: Float32Array): void {
    const stream = this.streams.get(page)?.get(name);
    if (stream === undefined) return;
    const isSamples = Object.prototype.toString.call(samples) === "[object Float32Array]";
    try {
      if (!isSamples || samples.length > MAX_PUSH_S * 192_000) {
        throw new InvalidParams("samples must be a short Float32Array");
      }
      stream.live.push(samples);
    } catch (error) {
      // What is lost here would shift all times: better an end that is told.
      stream.tell({ event: "error", value: sentError(error) });
      this.tasks.cancel(page, name);
    }
  }

  async close(page: Page, name: string, options: LiveCloseOptions): Promise<DiarizeResult> {
    const stream = this.streams.get(page)?.get(name);
    if (stream === undefined) throw new InvalidParams("this stream has ended");
    // What comes later is not heard, and is no fault.
    this.streams.get(page)?.delete(name);
    try {
      return await stream.live.close({ ...options });
    } finally {
      this.forget(page, name);
    }
  }

  private forget(page: Page, name: string): void {
    this.tasks.end(page, name);
    const streams = this.streams.get(page);
    streams?.delete(name);
    if (streams?.size === 0) this.streams.delete(page);
  }
}
