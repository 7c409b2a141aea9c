// In the audio thread: the microphone's samples, mono, in pieces of 100 ms, with their level.

const PIECE = sampleRate / 10;

class Recorder extends AudioWorkletProcessor {
  #piece = new Float32Array(PIECE);
  #filled = 0;

  process([channels]) {
    const frames = channels[0]?.length ?? 0;
    for (let n = 0; n < frames; n++) {
      let sum = 0;
      for (const channel of channels) sum += channel[n];
      this.#piece[this.#filled++] = sum / channels.length;
      if (this.#filled === PIECE) this.#give();
    }
    return true;
  }

  #give() {
    const energy = this.#piece.reduce((sum, sample) => sum + sample * sample, 0);
    this.port.postMessage({ samples: this.#piece, rms: Math.sqrt(energy / PIECE) });
    this.#filled = 0;
  }
}

registerProcessor("recorder", Recorder);
