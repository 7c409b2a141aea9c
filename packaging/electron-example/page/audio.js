// Audio as the page gets it, a file or a recording, to the samples that the sidecar takes.

// decodeAudioData resamples to its context's rate; this one leaves that to the sidecar.
const SAMPLE_RATE_HZ = 48_000;

/** The samples of what the browser can decode: mono, {samples, sampleRateHz, durationS}. */
export async function decode(blob) {
  const context = new OfflineAudioContext(1, 1, SAMPLE_RATE_HZ);
  const buffer = await context.decodeAudioData(await blob.arrayBuffer());
  const samples = new Float32Array(buffer.length);
  for (let index = 0; index < buffer.numberOfChannels; index++) {
    const channel = buffer.getChannelData(index);
    for (let n = 0; n < samples.length; n++) samples[n] += channel[n] / buffer.numberOfChannels;
  }
  return {
    samples,
    sampleRateHz: buffer.sampleRate,
    durationS: buffer.duration,
  };
}

/** Record from the microphone until `stop()`, which resolves with the recording. */
export async function record() {
  // What makes calls pleasant changes voices.
  const audio = {
    echoCancellation: false,
    noiseSuppression: false,
    autoGainControl: false,
  };
  const stream = await navigator.mediaDevices.getUserMedia({ audio });
  const recorder = new MediaRecorder(stream);
  const chunks = [];
  recorder.addEventListener("dataavailable", ({ data }) => chunks.push(data));
  recorder.start();
  return {
    stop() {
      return new Promise((resolve) => {
        recorder.addEventListener("stop", () => {
          for (const track of stream.getTracks()) track.stop();
          resolve(new Blob(chunks, { type: recorder.mimeType }));
        });
        recorder.stop();
      });
    },
  };
}
