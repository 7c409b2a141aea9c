// What the page asks of the app behind it. It knows `window.bridge`, and nothing of Electron.

const { bridge } = window;

/** Why a call was not answered; `kind` is a word for programs. */
export class Fault extends Error {
  constructor({ kind, message }) {
    super(message);
    this.kind = kind;
  }
}

/** The answer to a call by its name. */
export async function ask(name, ...values) {
  const { value, error } = await bridge[name](...values);
  if (error) throw new Fault(error);
  return value;
}

export const { on, push } = bridge;

/**
 * What `call` answers about a file. The service reads it where it lies, however long it is; what it
 * cannot read, the browser decodes.
 */
export async function askOfFile(file, call) {
  const path = bridge.pathOf(file);
  try {
    return await call(path ? { path } : { file: new Uint8Array(await file.arrayBuffer()) });
  } catch (error) {
    if (error.kind !== "unsupported_format") throw error;
    return call(await decoded(file));
  }
}

async function decoded(file) {
  const rate = 16_000;
  const context = new OfflineAudioContext(1, 1, rate);
  const buffer = await context.decodeAudioData(await file.arrayBuffer());
  const channels = Array.from({ length: buffer.numberOfChannels }, (_, n) =>
    buffer.getChannelData(n),
  );
  const samples = channels[0].map(
    (_, n) => channels.reduce((sum, channel) => sum + channel[n], 0) / channels.length,
  );
  return { samples, sampleRateHz: rate };
}
