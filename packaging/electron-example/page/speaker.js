// The package, as the page has it, and what the page adds to it.

import {
  MICROPHONE_RATE_HZ as sampleRateHz,
  microphones,
} from "../node_modules/speaker-sidecar/dist/esm/renderer.js";

export * from "../node_modules/speaker-sidecar/dist/esm/renderer.js";

/** A file, so that the page's Content-Security-Policy can stay strict. */
export const workletUrl = "../node_modules/speaker-sidecar/dist/worklet.js";

/** The microphones that there are, as [{id, name}]; their names are known once one was allowed. */
export async function devices() {
  return (await microphones()).map(({ deviceId, label }, n) => ({
    id: deviceId,
    name: label || `Microphone ${n + 1}`,
  }));
}

/** What `call` gives for a file; what the service cannot read, the browser decodes. */
export async function ofFile(file, call) {
  try {
    return await call(file);
  } catch (error) {
    if (error.kind !== "unsupported_format") throw error;
    return call(await decoded(file));
  }
}

async function decoded(file) {
  const context = new OfflineAudioContext(1, 1, sampleRateHz);
  const buffer = await context.decodeAudioData(await file.arrayBuffer());
  const channels = Array.from({ length: buffer.numberOfChannels }, (_, n) =>
    buffer.getChannelData(n),
  );
  const samples = channels[0].map(
    (_, n) => channels.reduce((sum, channel) => sum + channel[n], 0) / channels.length,
  );
  return { samples, sampleRateHz };
}
