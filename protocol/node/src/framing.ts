/** Frames: a u32 little-endian length N, then N bytes. Bytes in, frames out, no I/O. */

import { FramingError } from "./errors.js";

export const HEADER_BYTES = 4;
export const MAX_FRAME_BYTES = 64 * 2 ** 20;

const SMALL_BUFFER_BYTES = 64 * 2 ** 10;

/**
 * The frame that carries the payload which is these `pieces`, one after the other.
 *
 * @throws {FramingError} the payload is empty or longer than `maxFrameBytes`.
 */
export function encodeFrame(
  pieces: Uint8Array | readonly Uint8Array[],
  maxFrameBytes = MAX_FRAME_BYTES,
): Buffer {
  const all = pieces instanceof Uint8Array ? [pieces] : pieces;
  const nBytes = all.reduce((sum, piece) => sum + piece.length, 0);
  checkLength(nBytes, maxFrameBytes);
  const frame = Buffer.allocUnsafe(HEADER_BYTES + nBytes);
  let end = frame.writeUInt32LE(nBytes);
  for (const piece of all) {
    frame.set(piece, end);
    end += piece.length;
  }
  return frame;
}

/**
 * Cuts a byte stream, however it arrives, into the payloads of its frames.
 *
 * A length is checked before its payload is waited for, so a hostile one costs no memory.
 * After a `FramingError` nothing more can be read: every later call throws it again.
 */
export class FrameDecoder {
  private buffer = Buffer.allocUnsafe(SMALL_BUFFER_BYTES);
  private start = 0;
  private end = 0;

  constructor(private readonly maxFrameBytes = MAX_FRAME_BYTES) {}

  /** Bytes received that do not make a whole frame yet. */
  get pendingBytes(): number {
    return this.end - this.start;
  }

  /**
   * Take `data` and iterate over the payloads that are whole now.
   *
   * The iterator throws a `FramingError` at a bad length, after the payloads before it. Payloads
   * that were not iterated over come first in the next call.
   */
  feed(data: Uint8Array): Generator<Buffer, void> {
    this.append(data);
    return this.wholePayloads();
  }

  private *wholePayloads(): Generator<Buffer, void> {
    while (this.pendingBytes >= HEADER_BYTES) {
      const nBytes = this.buffer.readUInt32LE(this.start);
      checkLength(nBytes, this.maxFrameBytes, this.buffer.subarray(this.start, this.end));
      const end = this.start + HEADER_BYTES + nBytes;
      if (this.end < end) return;
      const payload = Buffer.from(this.buffer.subarray(this.start + HEADER_BYTES, end));
      this.start = end;
      yield payload;
    }
  }

  /** Put `data` behind what is pending, in a buffer that doubles, and is let go when empty. */
  private append(data: Uint8Array): void {
    const nPendingBytes = this.pendingBytes;
    if (this.end + data.length > this.buffer.length) {
      const nBytes = nPendingBytes + data.length;
      const roomy = Buffer.allocUnsafe(Math.max(SMALL_BUFFER_BYTES, nBytes + nPendingBytes));
      this.buffer.copy(roomy, 0, this.start, this.end);
      this.buffer = roomy;
      this.start = 0;
      this.end = nPendingBytes;
    }
    this.buffer.set(data, this.end);
    this.end += data.length;
  }
}

function checkLength(nBytes: number, maxFrameBytes: number, received?: Buffer): void {
  if (nBytes >= 1 && nBytes <= maxFrameBytes) return;
  const seen =
    received === undefined
      ? ""
      : ` (the stream continues with ${JSON.stringify(received.toString("latin1", 0, 16))})`;
  throw new FramingError(
    `a frame of ${nBytes} bytes: its length must be 1 to ${maxFrameBytes}${seen}; ` +
      "send nothing but frames, each with its little-endian u32 length in front",
    undefined,
    { maxFrameBytes },
  );
}
