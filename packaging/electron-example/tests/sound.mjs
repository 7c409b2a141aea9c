// Sounds of 16 kHz, to be put together.

import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";

import { PYTHON } from "../../../protocol/node/tests/sidecars.mjs";
import { wavBytes } from "../../../protocol/node/tests/wav.mjs";

export const RATE_HZ = 16_000;

// There is no FLAC decoder in Node.
const DECODE = `
import sys, soundfile
samples, rate_hz = soundfile.read(sys.argv[1], dtype="float32")
assert rate_hz == ${RATE_HZ}, rate_hz
sys.stdout.buffer.write(samples.tobytes())`;

export class Sound {
  #parts = [];

  static read(path) {
    const { stdout, status, stderr } = spawnSync(PYTHON, ["-c", DECODE, path], {
      maxBuffer: 2 ** 30,
    });
    if (status !== 0) throw new Error(String(stderr));
    return new Sound().addSamples(new Float32Array(Uint8Array.from(stdout).buffer));
  }

  static silence(seconds) {
    return new Sound().addSamples(new Float32Array(Math.round(seconds * RATE_HZ)));
  }

  get durationS() {
    return this.#parts.reduce((sum, { length }) => sum + length, 0) / RATE_HZ;
  }

  get samples() {
    const samples = new Float32Array(Math.round(this.durationS * RATE_HZ));
    let at = 0;
    for (const part of this.#parts) {
      samples.set(part, at);
      at += part.length;
    }
    return samples;
  }

  /** What follows; the sound itself. */
  add(sound) {
    this.#parts.push(...sound.#parts);
    return this;
  }

  addSamples(samples) {
    this.#parts.push(samples);
    return this;
  }

  part(fromS, toS) {
    return this.samples.subarray(Math.round(fromS * RATE_HZ), Math.round(toS * RATE_HZ));
  }

  save(path) {
    writeFileSync(path, wavBytes(this.samples, RATE_HZ));
  }
}
