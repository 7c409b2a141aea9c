/** One request of the app, from its call to its one answer, whatever children come and go. */

import type { Job } from "./backlog.js";
import { InvalidParams } from "./errors.js";
import { encodeFrame, MAX_FRAME_BYTES } from "./framing.js";
import { encodeRequest, type Method } from "./messages.js";
import type { WireMap } from "./payload.js";
import type { RequestProgress } from "./reports.js";

const EMPTY = new Uint8Array();

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
  readonly nBytes: number;
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

  private encoded: Uint8Array;

  /** @throws {InvalidParams} it is more than the child takes in one frame. */
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
    this.encoded = frameOf(encodeRequest(id, method, params), options.maxFrameBytes);
    this.nBytes = this.encoded.length;
    this.answer = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  get frame(): Uint8Array {
    return this.encoded;
  }

  /** It is not sent again: let go of its bytes. */
  release(): void {
    this.encoded = EMPTY;
  }
}

function frameOf(pieces: readonly Uint8Array[], maxFrameBytes = MAX_FRAME_BYTES): Uint8Array {
  const nBytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (nBytes > maxFrameBytes) {
    throw new InvalidParams(
      `the call has ${megabytes(nBytes)} MB, and the child takes at most ` +
        `${megabytes(maxFrameBytes)} MB at once: write the audio to a file and give its path ` +
        "(which may be of any length), or send it in parts",
      "too_large",
      { nBytes, maxFrameBytes },
    );
  }
  return encodeFrame(pieces, maxFrameBytes);
}

function megabytes(nBytes: number): string {
  return (nBytes / 1e6).toFixed(1);
}
