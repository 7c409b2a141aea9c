// What is told, in plain words.

/** `0:05`, `1:02:03`. */
export function clock(seconds) {
  const whole = Math.floor(seconds);
  const minutes = Math.floor(whole / 60);
  const two = (value) => String(value).padStart(2, "0");
  if (minutes < 60) return `${minutes}:${two(whole % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}

/** `3 s`, `2:05 min`. */
export function duration(seconds) {
  return seconds < 59.5 ? `${Math.round(seconds)} s` : `${clock(Math.round(seconds))} min`;
}

/** What a person still needs. */
export function need({ name, progress, neededS, speechS }) {
  if (progress >= 1) return `${name} is known by voice, from ${duration(speechS)} of speech.`;
  return `${neededS.toFixed(1)} s more of speech, and ${name} is known by voice.`;
}

const QUALITY = {
  silent: "It is silent: is it the right microphone?",
  little_speech: "There is little speech in it: speak a bit longer.",
  quiet: "It is very quiet: move closer to the microphone.",
  clipped: "It is too loud for the microphone: move back a little.",
  narrow_band: "It sounds like a telephone: a better microphone makes a better print.",
  noisy: "There is a lot of noise behind the voice: find a quieter place.",
  opposite_phase: "Its two channels cancel each other out: record only one of them.",
};

/** What is wrong with an enrolment, as sentences; `name` is whose it is. */
export function advice({ name, used, warnings = [] }) {
  return warnings.flatMap(({ kind, message, flags = [], name: other }) => {
    if (kind === "poor_quality") return flags.map((flag) => QUALITY[flag] ?? message);
    if (kind === "too_little_speech")
      return used ? [] : ["There was too little speech in it: speak on."];
    if (kind === "differs") {
      return [
        `It does not sound like the other recordings of ${name}, and was kept as another side of ` +
          "the voice. If somebody else spoke, forget this person and begin again.",
      ];
    }
    if (kind === "sounds_like") {
      return [`It sounds like ${other}, who is in the list. Are they one person?`];
    }
    if (kind === "outlier")
      return ["One of the recordings is not like the others, and was left out."];
    return [message];
  });
}

const STARTING = "The voice service is starting.";
const SERVICE_FAULTS = {
  command_not_found: "The voice service is not installed.",
  download_failed: "The voice model could not be fetched. Is this computer online?",
  offline: "The voice model could not be fetched. Is this computer online?",
  disk_full: "There is no room on the disk for the voice model.",
};

/** What the voice service is doing: {state: "starting", "ready" or "failed", sentence, detail}. */
export function serviceReport({ state, health, progress, error }) {
  if (state === "ready" || state === "degraded") {
    const { device, model } = health;
    const place = device.selected === "cpu" ? "the processor" : "the graphics card";
    const detail = `${model.id}; ${device.reason}`;
    return { state: "ready", sentence: `Ready, on ${place}.`, detail };
  }
  if (state === "failed") {
    const ofModel = error.name === "ModelUnavailable" && "The voice model cannot be used.";
    const other = ofModel || "The voice service could not be started.";
    return { state, sentence: SERVICE_FAULTS[error.kind] ?? other, detail: error.message };
  }
  const again = state === "restarting" && "The voice service is starting again.";
  return { state: "starting", sentence: again || fetched(progress) || STARTING, detail: null };
}

function fetched(progress) {
  if (progress?.phase !== "download" || progress.unit !== "bytes") return null;
  const megabytes = (bytes) => Math.round(bytes / 1e6);
  const { done, total } = progress;
  const share = total === null ? "" : ` of ${megabytes(total)}`;
  return `The voice model is being fetched: ${megabytes(done)}${share} MB.`;
}

const FAULTS = {
  no_speech: "Nobody speaks in it.",
  too_short: "It is too short.",
  empty: "There is nothing in it.",
  unsupported_format: "This is not a recording that can be read here.",
  EncodingError: "This is not a recording that can be read here.",
  NotAllowedError: "The microphone may not be used. Allow it in the system's settings.",
  NotFoundError: "There is no microphone.",
  NotReadableError: "The microphone was unplugged, or another program has it.",
};

/** What went wrong, as a sentence. */
export function fault(error) {
  return FAULTS[error.kind] ?? FAULTS[error.name] ?? error.message;
}
