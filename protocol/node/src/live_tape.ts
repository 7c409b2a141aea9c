/** The samples of a stream: those that wait for the child, and those that the next one may need. */

/** Positions are bytes from the beginning of the stream. */
export class Tape {
  private pieces: Uint8Array[] = [];
  private start = 0;
  private end = 0;
  private next = 0;

  /** @param frameBytes - of one sample of each channel. */
  constructor(
    private readonly frameBytes: number,
    private readonly framesPerS: number,
  ) {}

  /** What the child has not taken. */
  get waitingS(): number {
    return this.seconds(this.end - this.next);
  }

  /** How far the child has taken it, from the beginning of the stream. */
  get takenS(): number {
    return this.seconds(this.next);
  }

  /** Whether there is a whole frame to send. */
  get hasNext(): boolean {
    return this.end - this.next >= this.frameBytes;
  }

  /** Put `bytes` at the end; they may be cut anywhere, and must not change. */
  append(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.pieces.push(bytes);
    this.end += bytes.length;
  }

  /** What the child is to be sent next: whole frames, up to `durationS` of them. */
  peek(durationS: number): Uint8Array {
    const nBytes = Math.min(this.bytes(durationS), this.wholeFrames(this.end - this.next));
    const piece = new Uint8Array(nBytes);
    let [at, filled] = [this.start, 0];
    for (const bytes of this.pieces) {
      const from = this.next + filled - at;
      if (filled < nBytes && from < bytes.length) {
        const part = bytes.subarray(from, from + nBytes - filled);
        piece.set(part, filled);
        filled += part.length;
      }
      at += bytes.length;
    }
    return piece;
  }

  /** The child took `nBytes` of it. */
  take(nBytes: number): void {
    this.next += nBytes;
  }

  /** Nothing before `fromS` is needed any more. */
  drop(fromS: number): void {
    const from = Math.min(this.bytes(fromS), this.next);
    for (;;) {
      const [first] = this.pieces;
      if (first === undefined || this.start + first.length > from) return;
      this.pieces.shift();
      this.start += first.length;
    }
  }

  /** Let all from `fromS` on wait again, as far as it is there; where it begins now. */
  rewind(fromS: number): number {
    const begin = this.start + this.frameBytes - 1;
    const from = Math.ceil(Math.max(0, fromS) * this.framesPerS) * this.frameBytes;
    this.next = Math.max(from, this.wholeFrames(begin));
    return this.takenS;
  }

  /** How long so many bytes are. */
  seconds(nBytes: number): number {
    return nBytes / this.frameBytes / this.framesPerS;
  }

  private bytes(durationS: number): number {
    return Math.max(0, Math.floor(durationS * this.framesPerS)) * this.frameBytes;
  }

  private wholeFrames(nBytes: number): number {
    return nBytes - (nBytes % this.frameBytes);
  }
}
