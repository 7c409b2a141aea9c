/**
 * What runs where the audio is rendered: it makes chunks of 100 ms of what comes. As text, since a
 * bundler would make it a part of the page's own code, where it cannot run.
 */
export const WORKLET_CODE = `\
class SpeakerSidecarChunks extends AudioWorkletProcessor {
  constructor() {
    super();
    this.samples = new Float32Array(Math.round(sampleRate / 10));
    this.nSamples = 0;
    this.isOver = false;
    this.port.onmessage = () => {
      this.isOver = true;
      this.tell();
      this.port.postMessage(null);
    };
  }

  process([[channel = new Float32Array(128)]]) {
    for (let from = 0; from < channel.length && !this.isOver; ) {
      const part = channel.subarray(from, from + this.samples.length - this.nSamples);
      this.samples.set(part, this.nSamples);
      this.nSamples += part.length;
      from += part.length;
      if (this.nSamples === this.samples.length) this.tell();
    }
    return !this.isOver;
  }

  tell() {
    const samples = this.samples.slice(0, this.nSamples);
    this.nSamples = 0;
    let power = 0;
    let peak = 0;
    for (const sample of samples) {
      power += sample * sample;
      peak = Math.max(peak, Math.abs(sample));
    }
    const rms = Math.sqrt(power / Math.max(1, samples.length));
    this.port.postMessage({ samples, rms, peak }, [samples.buffer]);
  }
}

registerProcessor("speaker-sidecar-chunks", SpeakerSidecarChunks);
`;
