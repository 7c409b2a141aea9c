// What the page may ask of the main process. Each answer is {value} or {error: {kind, message}}:
// Electron would not carry an error's class across.

const { liveHandlersFor } = require("./live_handlers.js");

/**
 * The calls by name, for one window: `tell(event, value)` reaches its page. Beside them `push`, for
 * the samples of the microphone, which has no answer, and `stop`, for when the page is gone.
 */
function handlersFor(service, tell) {
  const people = () => service.sidecar.people;
  const live = liveHandlersFor(service, tell);
  let listening = new AbortController();

  const calls = {
    /** State of the voice service, and a sentence on it. */
    service: () => service.report,

    /** Start the voice service again. */
    async retry() {
      await service.start();
      return service.report;
    },

    /** Everybody who is known by voice. */
    people: () => people().list(),

    /** More speech of a person, or of a new one: `who` is {name} or {id}. */
    enroll: (who, audio) => people().enroll({ ...whoOf(who), audio: audioOf(audio) }),

    /** A speaker of a recording becomes a person, or more of one. */
    enrollSpeaker(who, { embedding, fingerprint, speechS }) {
      const embeddings = [{ embedding, fingerprint, speechS }];
      return people().enroll({ ...whoOf(who), embeddings });
    },

    rename: (id, name) => people().rename(id, name),

    forget: (id) => people().forget(id),

    /** How many seconds of an audio are speech. */
    async speech(audio) {
      const { speechS } = await service.sidecar.speech(audioOf(audio));
      return speechS;
    },

    /** Who speaks when in a recording; the progress is told as `heard`. */
    diarize(audio) {
      listening = new AbortController();
      return service.sidecar.diarize(audioOf(audio), {
        identify: true,
        signal: listening.signal,
        onProgress: ({ done, total }) => tell("heard", { doneS: done, totalS: total }),
      });
    },

    /** `diarize` is wanted no more. */
    cancel: () => listening.abort(),

    ...live.calls,
  };
  return {
    calls: Object.fromEntries(
      Object.entries(calls).map(([name, handler]) => [name, answering(handler)]),
    ),
    push: live.push,
    stop() {
      listening.abort();
      live.stop();
    },
  };
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
function whoOf({ id, name }) {
  return id === undefined ? { name: String(name) } : { id: String(id) };
}

/** One of {path}, {file: bytes}, {samples, sampleRateHz}. */
function audioOf({ path, file, samples, sampleRateHz }) {
  if (typeof path === "string") return { path };
  if (file instanceof Uint8Array) return { file };
  if (samples instanceof Float32Array && Number.isInteger(sampleRateHz)) {
    return { samples, sampleRateHz };
  }
  throw new TypeError("an audio is a path, the bytes of a file, or samples with their rate");
}

module.exports = { handlersFor };
