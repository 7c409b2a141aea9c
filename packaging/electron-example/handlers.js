// What the page may ask of the main process. Each answer is {value} or {error: {kind, message}}:
// Electron would not carry an error's class across.

const { Voice } = require("./voice.js");

// An utterance is seconds long; this is some minutes.
const MAX_SAMPLES = 48_000 * 300;

/** The handlers by name, for one window and its sidecar. */
function handlersFor(sidecar) {
  let voice = new Voice();

  const handlers = {
    /** Add an utterance to the voice; how many it has. */
    async enrol(samples, sampleRateHz) {
      voice.add(await sidecar.embed(audioOf(samples, sampleRateHz)));
      return { nUtterances: voice.nUtterances };
    },

    /** How like the voice a recording is: the cosine of the two. */
    async compare(samples, sampleRateHz) {
      const { stored } = voice;
      if (stored === null) throw new Error("Enrol a voice first.");
      const { cosine } = await sidecar.score(
        stored,
        await sidecar.embed(audioOf(samples, sampleRateHz)),
      );
      return { cosine };
    },

    /** Begin with another voice. */
    async forget() {
      voice = new Voice();
      return { nUtterances: 0 };
    },

    /** State, device and model. */
    health: () => sidecar.health(),
  };
  return Object.fromEntries(
    Object.entries(handlers).map(([name, handler]) => [name, answering(handler)]),
  );
}

function answering(handler) {
  return async (...values) => {
    try {
      return { value: await handler(...values) };
    } catch (error) {
      return { error: { kind: error.kind ?? "error", message: error.message } };
    }
  };
}

// The page is ours, but what shows things from outside is not to be trusted.
function audioOf(samples, sampleRateHz) {
  const isAudio =
    Object.prototype.toString.call(samples) === "[object Float32Array]" &&
    samples.length <= MAX_SAMPLES;
  if (!isAudio || !Number.isInteger(sampleRateHz)) {
    throw new TypeError("audio must be a Float32Array of at most five minutes, and its rate");
  }
  return { samples, sampleRateHz };
}

module.exports = { handlersFor };
