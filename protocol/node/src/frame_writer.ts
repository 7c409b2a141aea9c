/** Frames on their way into a pipe: in slices, each once the one before has gone. */

import type { Writable } from "node:stream";

// What one write may take of the event loop's time: copying a tenth of a millisecond.
const SLICE_BYTES = 2 ** 20;

export class FrameWriter {
  private frames: Uint8Array[] = [];
  private nWrittenOfFirst = 0;
  private takesMore = true;

  constructor(
    private readonly stream: Writable,
    private readonly onEmpty: () => void,
  ) {
    stream.on("drain", () => {
      this.takesMore = true;
      this.flush();
      if (this.isEmpty) this.onEmpty();
    });
  }

  /** Whether a frame that is written now goes to the pipe at once. */
  get isEmpty(): boolean {
    return this.takesMore && this.frames.length === 0;
  }

  /** Bytes that the pipe has not taken yet. */
  get bufferedBytes(): number {
    const waiting = this.frames.reduce((sum, frame) => sum + frame.length, 0);
    return this.stream.writableLength + waiting - this.nWrittenOfFirst;
  }

  /** Write `frame` behind all that came before. */
  write(frame: Uint8Array): void {
    this.frames.push(frame);
    this.flush();
  }

  /** Drop what is not in the pipe yet, and close it: a frame that is cut is none. */
  end(): void {
    this.frames = [];
    this.nWrittenOfFirst = 0;
    this.stream.end();
  }

  private flush(): void {
    while (this.takesMore && this.frames[0] !== undefined) {
      const [frame] = this.frames;
      const end = this.nWrittenOfFirst + SLICE_BYTES;
      this.takesMore = this.stream.write(frame.subarray(this.nWrittenOfFirst, end));
      this.nWrittenOfFirst = end;
      if (end >= frame.length) {
        this.frames.shift();
        this.nWrittenOfFirst = 0;
      }
    }
  }
}
