// The microphone, and what was heard of it as a whole.

import {
  MICROPHONE_RATE_HZ,
  microphones,
  openMicrophone,
} from "../node_modules/speaker-sidecar/dist/esm/renderer.js";

export const RATE_HZ = MICROPHONE_RATE_HZ;

// A file, so that the page's Content-Security-Policy can stay strict.
const WORKLET = "../node_modules/speaker-sidecar/dist/worklet.js";

/** Decibels below full scale that the meter shows as nothing. */
const FLOOR_DB = -60;

/** An open microphone. */
export class Microphone {
  #open;
  #pieces = [];

  /**
   * Open it.
   *
   * @param onPiece - is given ({samples, level}), ten times a second: a Float32Array, and 0 to 1
   *   for a meter.
   * @param onGone - is called where it is unplugged or taken away.
   * @param deviceId - of `devices()`; absent: the system's choice.
   */
  static async open({ onPiece, onGone, deviceId }) {
    const microphone = new Microphone();
    microphone.#open = await openMicrophone(
      { deviceId: deviceId || undefined, workletUrl: WORKLET },
      {
        onSamples(samples, { rmsDbfs }) {
          microphone.#pieces.push(samples);
          const level = 1 - Math.max(FLOOR_DB, rmsDbfs ?? FLOOR_DB) / FLOOR_DB;
          onPiece({ samples, level });
        },
        onEnded: onGone,
      },
    );
    return microphone;
  }

  /** All that it has given. */
  get samples() {
    const samples = new Float32Array(this.#pieces.reduce((sum, { length }) => sum + length, 0));
    let filled = 0;
    for (const piece of this.#pieces) {
      samples.set(piece, filled);
      filled += piece.length;
    }
    return samples;
  }

  close() {
    return this.#open.close();
  }
}

/** The microphones that there are, as [{id, name}]; their names are known once one was allowed. */
export async function devices() {
  return (await microphones()).map(({ deviceId, label }, n) => ({
    id: deviceId,
    name: label || `Microphone ${n + 1}`,
  }));
}

/** Show a level, 0 to 1, in an element of the class `level`. */
export function showLevel(meter, level) {
  const percent = Math.round(100 * level);
  meter.setAttribute("aria-valuenow", percent);
  meter.firstElementChild.style.width = `${percent}%`;
}

/** The bytes of a WAV file with these samples, 16 bits each. */
export function wavOf(samples) {
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const text = (at, word) => [...word].forEach((c, n) => view.setUint8(at + n, c.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + 2 * samples.length, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // channels
  view.setUint32(24, RATE_HZ, true);
  view.setUint32(28, 2 * RATE_HZ, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, 2 * samples.length, true);
  samples.forEach((sample, n) => {
    view.setInt16(44 + 2 * n, Math.max(-1, Math.min(1, sample)) * 32_767, true);
  });
  return new Blob([view], { type: "audio/wav" });
}
