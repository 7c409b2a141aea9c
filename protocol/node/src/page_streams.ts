/** The live streams of an app's pages: each ends with its page. */

import type { LiveNews, PageLiveOptions } from "./bridge.js";
import type { DiarizeResult } from "./diarization_reports.js";
import { InvalidParams } from "./errors.js";
import type { Live } from "./live.js";
import type { LiveCloseOptions, LiveOptions } from "./live_reports.js";
import type { Page } from "./electron_pages.js";
import { sentError } from "./sent_error.js";

interface PageStream {
  readonly live: Live;
  readonly controller: AbortController;
  readonly tell: (news: LiveNews) => void;
}

// A page sends a tenth of a second at a time.
const MAX_PUSH_S = 10;
const MAX_STREAMS = 8;

export class PageStreams {
  private readonly streams = new Map<Page, Map<string, PageStream>>();

  constructor(private readonly start: (options: LiveOptions) => Live) {}

  /** Open the stream `name` of `page`; `tell` is told what becomes of it. */
  open(page: Page, name: string, options: PageLiveOptions, tell: (news: LiveNews) => void): void {
    const streams = this.streamsOf(page);
    if (streams.size >= MAX_STREAMS || streams.has(name)) {
      throw new InvalidParams(`a page may have ${MAX_STREAMS} streams, each with its own name`);
    }
    const { sampleRateHz, channels, identify, detail } = options;
    const controller = new AbortController();
    const { signal } = controller;
    const live = this.start({ sampleRateHz, channels, identify, detail, signal });
    streams.set(name, { live, controller, tell });
    live
      .on("turn", (value) => tell({ event: "turn", value }))
      .on("level", (value) => tell({ event: "level", value }))
      .on("lag", (value) => tell({ event: "lag", value }))
      .on("restarted", (value) => tell({ event: "restarted", value }))
      .on("error", (error) => {
        streams.delete(name);
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
      this.stop(page, name);
    }
  }

  async close(page: Page, name: string, options: LiveCloseOptions): Promise<DiarizeResult> {
    const streams = this.streamsOf(page);
    const stream = streams.get(name);
    if (stream === undefined) throw new InvalidParams("this stream has ended");
    try {
      return await stream.live.close({ ...options });
    } finally {
      streams.delete(name);
    }
  }

  stop(page: Page, name: string): void {
    const streams = this.streamsOf(page);
    const stream = streams.get(name);
    streams.delete(name);
    stream?.controller.abort();
  }

  private streamsOf(page: Page): Map<string, PageStream> {
    const known = this.streams.get(page);
    if (known !== undefined) return known;
    const streams = new Map<string, PageStream>();
    this.streams.set(page, streams);
    const end = () => {
      for (const { controller } of streams.values()) controller.abort();
      streams.clear();
    };
    page.on("did-navigate", end);
    page.on("render-process-gone", end);
    page.on("destroyed", () => {
      end();
      this.streams.delete(page);
    });
    return streams;
  }
}
