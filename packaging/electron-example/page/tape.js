// What the microphone has given, kept in memory.

import { MICROPHONE_RATE_HZ as sampleRateHz } from "./speaker.js";

export class Tape {
  #pieces = [];
  #nSamples = 0;

  /** A Float32Array, which is kept as it is. */
  add(samples) {
    this.#pieces.push(samples);
    this.#nSamples += samples.length;
  }

  get durationS() {
    return this.#nSamples / sampleRateHz;
  }

  /** All of it: {samples, sampleRateHz}. */
  get audio() {
    const samples = new Float32Array(this.#nSamples);
    let filled = 0;
    for (const piece of this.#pieces) {
      samples.set(piece, filled);
      filled += piece.length;
    }
    return { samples, sampleRateHz };
  }

  /** A WAV file of it, 16 bits each. */
  get wav() {
    const { samples } = this.audio;
    const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
    const text = (at, word) => [...word].forEach((c, n) => view.setUint8(at + n, c.charCodeAt(0)));
    text(0, "RIFF");
    view.setUint32(4, 36 + 2 * samples.length, true);
    text(8, "WAVEfmt ");
    view.setUint32(16, 16, true);
    view.setUint16(20, 1, true); // PCM
    view.setUint16(22, 1, true); // channels
    view.setUint32(24, sampleRateHz, true);
    view.setUint32(28, 2 * sampleRateHz, true);
    view.setUint16(32, 2, true);
    view.setUint16(34, 16, true);
    text(36, "data");
    view.setUint32(40, 2 * samples.length, true);
    samples.forEach((sample, n) => {
      view.setInt16(44 + 2 * n, Math.max(-1, Math.min(1, sample)) * 32_767, true);
    });
    return new Blob([view], { type: "audio/wav" });
  }
}
