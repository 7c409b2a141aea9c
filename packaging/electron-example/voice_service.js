// The voice service: a sidecar that starts, serves, or is out of order. The app lives without it.

const { EventEmitter } = require("node:events");
const { join } = require("node:path");

const STARTING = "The voice service is starting.";
const FAULTS = {
  command_not_found: "The voice service is not installed.",
  model_unavailable: "The voice model is missing, and could not be fetched.",
  download_failed: "The voice model could not be fetched. Is this computer online?",
};

/** What a call meets while nothing serves. */
class ServiceFault extends Error {
  kind = "service";
}

/** `report` is told whenever it changes: {state: "starting" | "ready" | "failed", sentence, ...}. */
class VoiceService extends EventEmitter {
  #app;
  #package;
  #folder;
  #sidecar = null;
  #reason = null;
  #report = { state: "starting", sentence: STARTING, detail: null };

  constructor(app, speakerSidecar, folder) {
    super();
    this.#app = app;
    this.#package = speakerSidecar;
    this.#folder = folder;
  }

  get report() {
    return this.#report;
  }

  /** What answers; it may still be loading. */
  get sidecar() {
    if (this.#sidecar === null) throw new ServiceFault(this.#report.sentence);
    return this.#sidecar;
  }

  /** Start it, also again; how that went is reported and not thrown. */
  async start() {
    if (this.#sidecar !== null) return;
    const { SpeakerSidecar, closeBeforeQuit, findCommand } = this.#package;
    this.#tell("starting", STARTING);
    try {
      const found = findCommand({
        isPackaged: this.#app.isPackaged,
        projectFolder: this.#folder,
      });
      const people = join(this.#app.getPath("userData"), "people.db");
      const options = ["--model", "campplus-zh-en", "--speech", "--gallery", people];
      const sidecar = await SpeakerSidecar.start({
        command: found.command,
        args: [...found.args, ...options],
      });
      closeBeforeQuit(this.#app, sidecar);
      this.#sidecar = sidecar;
      this.#follow(sidecar);
    } catch (error) {
      this.#fail(error.kind, error.message);
    }
  }

  #follow(sidecar) {
    sidecar.on("log", ({ text }) => console.log(text));
    sidecar.on("health", (health) => this.#heard(health));
    sidecar.on("progress", (progress) => this.#tell("starting", sentenceOf(progress)));
    sidecar.on("restart", () => this.#tell("starting", "The voice service is starting again."));
    sidecar.on("exit", ({ reason, willRestart }) => {
      if (willRestart || this.#sidecar !== sidecar) return;
      this.#sidecar = null;
      this.#fail(undefined, this.#reason ?? reason);
      void sidecar.close();
    });
    if (sidecar.lastHealth) this.#heard(sidecar.lastHealth);
  }

  #heard({ state, reason, device, model }) {
    this.#reason = state === "failed" ? reason : null;
    if (state !== "ready" && state !== "degraded") return;
    const place = device.selected === "cpu" ? "the processor" : "the graphics card";
    this.#tell("ready", `Ready, on ${place}.`, `${model.id}; ${device.reason}`);
  }

  #fail(kind, detail) {
    this.#tell("failed", FAULTS[kind] ?? "The voice service could not be started.", detail);
  }

  #tell(state, sentence, detail = null) {
    this.#report = { state, sentence, detail };
    this.emit("report", this.#report);
  }
}

function sentenceOf({ phase, done, total, unit }) {
  if (phase !== "download" || unit !== "bytes") return STARTING;
  const megabytes = (bytes) => Math.round(bytes / 1e6);
  const share = total === null ? "" : ` of ${megabytes(total)}`;
  return `The voice model is being fetched: ${megabytes(done)}${share} MB.`;
}

module.exports = { VoiceService };
