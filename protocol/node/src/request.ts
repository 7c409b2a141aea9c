/** One request of the app, from its call to its one answer, whatever children come and go. */

import type { Job } from "./backlog";
import { encodeFrame } from "./framing";
import { encodeRequest, type Method } from "./messages";
import type { WireMap } from "./payload";
import type { RequestProgress } from "./reports";

/** Told how far a request is. */
export type OnProgress = (progress: RequestProgress) => void;

/** What a request is, beside its params. */
export interface RequestOptions {
  /** How many audios it counts as in flight. */
  readonly nAudios: number;
  /** Whether it waits until the child has loaded. Default: where it has audio. */
  readonly needsModel?: boolean;
  /** To be the only one in flight. */
  readonly alone?: boolean;
  /** Not to be sent again once a child may have done it. */
  readonly once?: boolean;
  /** About what one child alone has, such as a stream. */
  readonly bound?: boolean;
  readonly onProgress?: OnProgress | undefined;
  readonly maxFrameBytes?: number | undefined;
}

export class Request implements Job {
  readonly frame: Uint8Array;
  readonly nAudios: number;
  readonly needsModel: boolean;
  readonly alone: boolean;
  readonly once: boolean;
  readonly bound: boolean;
  readonly onProgress: OnProgress | undefined;
  nDeaths = 0;
  mayBeDone = false;
  withdrawn = false;

  /** The result's map, as it was on the wire. */
  readonly answer: Promise<WireMap>;
  resolve!: (result: WireMap) => void;
  reject!: (error: Error) => void;

  /** @throws {FramingError} the frame would be longer than the child takes. */
  constructor(
    readonly id: number,
    readonly method: Method,
    params: WireMap,
    options: RequestOptions,
  ) {
    this.nAudios = options.nAudios;
    this.needsModel = options.needsModel ?? options.nAudios > 0;
    this.alone = options.alone ?? false;
    this.once = options.once ?? false;
    this.bound = options.bound ?? false;
    this.onProgress = options.onProgress;
    this.frame = encodeFrame(encodeRequest(id, method, params), options.maxFrameBytes);
    this.answer = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}
