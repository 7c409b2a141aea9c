// The microphone: samples of 16 kHz, mono, ten times a second, and what was heard of it as a whole.

export const RATE_HZ = 16_000;

/** Decibels below full scale that the meter shows as nothing. */
const FLOOR_DB = -60;

/** An open microphone; `samples` is all that it has given. */
export class Microphone {
  #stream;
  #context;
  #pieces = [];

  /**
   * Open it.
   *
   * @param onPiece - is given ({samples, level}): a Float32Array, and 0 to 1 for a meter.
   * @param deviceId - of `devices()`; "": the system's choice.
   */
  static async open(onPiece, deviceId = "") {
    const microphone = new Microphone();
    await microphone.#open(onPiece, deviceId);
    return microphone;
  }

  async #open(onPiece, deviceId) {
    this.#stream = await navigator.mediaDevices.getUserMedia({
      audio: {
        ...(deviceId === "" ? {} : { deviceId }),
        // So that what the speakers play is not heard as somebody; the rest would change voices.
        echoCancellation: true,
        noiseSuppression: false,
        autoGainControl: false,
      },
    });
    this.#context = new AudioContext({ sampleRate: RATE_HZ });
    await this.#context.audioWorklet.addModule("recorder_worklet.js");
    const recorder = new AudioWorkletNode(this.#context, "recorder", { numberOfOutputs: 0 });
    recorder.port.addEventListener("message", ({ data: { samples, rms } }) => {
      this.#pieces.push(samples);
      onPiece({ samples, level: 1 - Math.max(FLOOR_DB, 20 * Math.log10(rms)) / FLOOR_DB });
    });
    recorder.port.start();
    this.#context.createMediaStreamSource(this.#stream).connect(recorder);
  }

  get samples() {
    const samples = new Float32Array(this.#pieces.reduce((sum, { length }) => sum + length, 0));
    let filled = 0;
    for (const piece of this.#pieces) {
      samples.set(piece, filled);
      filled += piece.length;
    }
    return samples;
  }

  async stop() {
    for (const track of this.#stream.getTracks()) track.stop();
    await this.#context.close();
  }
}

/** The microphones that there are, as [{id, name}]; their names are known once one was allowed. */
export async function devices() {
  const all = await navigator.mediaDevices.enumerateDevices();
  return all
    .filter(({ kind }) => kind === "audioinput")
    .map(({ deviceId, label }, n) => ({ id: deviceId, name: label || `Microphone ${n + 1}` }));
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
