// A recording as one sees and hears it: its timeline, its voices to be named, and its export.

import { exported } from "./exports.js";
import { attempt } from "./faults.js";
import { colourOf, keepColour, voiceOf } from "./palette.js";
import { people, refreshPeople } from "./people.js";
import { question } from "./question.js";
import { people as gallery } from "./speaker.js";
import { Timeline } from "./timeline.js";
import { advice, clock, need } from "./words.js";

const SAMPLE_S = 6;

export class RecordingView {
  #article;
  #audio;
  #timeline;
  #title;
  #result;
  #voices;
  #stopAtS = Infinity;
  #url;

  /**
   * Show it in `container`, in the place of what was there.
   *
   * @param title - a file's name, for example.
   * @param blob - what is played.
   * @param result - of `diarize`, or of a stream's close.
   */
  constructor(container, { title, blob, result }) {
    const template = document.getElementById("recording");
    this.#article = template.content.firstElementChild.cloneNode(true);
    this.#title = title;
    this.#result = result;
    this.#voices = new Map(
      result.speakers.map(({ label, person }) => [label, voiceOf(label, person)]),
    );
    this.#timeline = new Timeline(this.#part(".timeline"), {
      onSeek: (seconds) => this.#play(seconds),
      onName: (voice) => attempt(() => this.#name(voice)),
    });
    this.#part(".title").textContent = title;
    for (const button of this.#article.querySelectorAll("[data-format]")) {
      button.addEventListener("click", () => this.#save(button.dataset.format));
    }
    this.#preparePlayer(blob);
    this.#show();
    container.replaceChildren(this.#article);
  }

  /** Give back what it holds. */
  close() {
    this.#audio.pause();
    URL.revokeObjectURL(this.#url);
    this.#article.remove();
  }

  #part(selector) {
    return this.#article.querySelector(selector);
  }

  #preparePlayer(blob) {
    this.#audio = this.#part("audio");
    this.#url = URL.createObjectURL(blob);
    this.#audio.src = this.#url;
    const [button, position] = [this.#part(".play"), this.#part(".position")];
    position.max = this.#result.durationS;
    button.addEventListener("click", () => {
      if (this.#audio.paused) this.#play(this.#audio.ended ? 0 : this.#audio.currentTime);
      else this.#audio.pause();
    });
    position.addEventListener("input", () => {
      this.#stopAtS = Infinity;
      this.#seek(Number(position.value));
    });
    for (const event of ["play", "pause"]) {
      this.#audio.addEventListener(event, () => {
        button.textContent = this.#audio.paused ? "Play" : "Pause";
        this.#follow();
      });
    }
    this.#audio.addEventListener("seeked", () => this.#showPosition());
    this.#audio.addEventListener("error", () => {
      for (const control of [button, position]) control.disabled = true;
      this.#part(".outcome").textContent = "This kind of file cannot be played here.";
    });
    this.#showPosition();
  }

  /** From there on, up to `untilS`. */
  #play(fromS, untilS = Infinity) {
    this.#stopAtS = untilS;
    this.#seek(fromS);
    // Of what cannot be played the event `error` tells.
    this.#audio.play().catch(() => undefined);
  }

  /** The position shows it at once: `seeked` may come after the next key. */
  #seek(seconds) {
    this.#audio.currentTime = seconds;
    this.#showPosition();
  }

  #follow() {
    this.#showPosition();
    if (this.#audio.paused) return;
    if (this.#audio.currentTime >= this.#stopAtS) this.#audio.pause();
    else requestAnimationFrame(() => this.#follow());
  }

  #showPosition() {
    const seconds = this.#audio.currentTime;
    const position = this.#part(".position");
    position.value = seconds;
    position.setAttribute("aria-valuetext", `${clock(seconds)} ${this.#speaking(seconds)}`);
    this.#part(".clock").textContent = clock(seconds);
    this.#timeline.positionS = seconds;
  }

  #speaking(seconds) {
    const now = this.#turns.filter(({ startS, endS }) => startS <= seconds && seconds < endS);
    return now.length === 0 ? "nobody" : now.map(({ name }) => name).join(" and ");
  }

  get #turns() {
    return this.#result.turns.map((turn) => {
      const { key, name } = this.#voices.get(turn.speaker);
      return { ...turn, key, name };
    });
  }

  #show() {
    const { durationS, turns } = this.#result;
    const voices = new Map([...this.#voices.values()].map((voice) => [voice.key, voice]));
    this.#part(".summary").textContent =
      turns.length === 0
        ? "Nobody speaks in it."
        : `${clock(durationS)}, ${counted(voices.size, "voice")}, ${counted(turns.length, "turn")}. ` +
          "Choose a name to say who it is.";
    this.#timeline.show({
      voices: [...voices.values()],
      turns: this.#turns,
      fromS: 0,
      toS: Math.max(1, durationS),
    });
    this.#showPosition();
    this.#part("details").hidden = turns.length === 0;
    this.#part(".turns").replaceChildren(...this.#turns.map((turn) => this.#itemOf(turn)));
  }

  #itemOf({ startS, endS, key, name }) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.textContent = `${clock(startS)} ${name}`;
    button.setAttribute("aria-label", `Play ${name}, ${clock(startS)} to ${clock(endS)}`);
    button.style.setProperty("--voice", colourOf(key));
    button.addEventListener("click", () => this.#play(startS));
    const item = document.createElement("li");
    item.append(button);
    return item;
  }

  /** Ask who it is; the answer is enrolled with what the recording has of the voice. */
  async #name({ key, label, name, isKnown }) {
    const longest = this.#turns
      .filter((turn) => turn.key === key)
      .reduce((a, b) => (b.endS - b.startS > a.endS - a.startS ? b : a));
    const { startS } = longest;
    const hear = () => this.#play(startS, Math.min(longest.endS, startS + SAMPLE_S));
    const answer = await question({
      title: `Who is ${isKnown ? `this, if not ${name}` : name.replace("U", "u")}?`,
      text: "From now on this voice is known by the name.",
      answer: isKnown ? name : "",
      names: people.map((person) => person.name),
      confirm: "Save",
      extra: { label: "Hear the voice", act: hear },
    });
    this.#audio.pause();
    if (answer === null || (isKnown && answer === name)) return;
    const known = people.find((person) => person.name === answer);
    const speaker = this.#result.speakers.find((one) => one.label === label);
    const who = known ? { id: known.id } : { name: answer };
    const { fingerprint } = this.#result;
    const enrolled = await gallery.enroll({ ...who, embeddings: [{ fingerprint, ...speaker }] });
    keepColour(key, enrolled.id);
    this.#voices.set(label, voiceOf(label, enrolled));
    this.#show();
    this.#part(".outcome").textContent = [need(enrolled), ...advice(enrolled)].join(" ");
    await refreshPeople();
  }

  #save(format) {
    const speakers = this.#result.speakers.map((speaker) => {
      const { label, name, isKnown } = this.#voices.get(speaker.label);
      return { label, name, isKnown, speechS: speaker.speechS };
    });
    const { durationS } = this.#result;
    const conversation = { title: this.#title, durationS, turns: this.#turns, speakers };
    const { name, type, text } = exported(format, conversation);
    const url = URL.createObjectURL(new Blob([text], { type }));
    Object.assign(document.createElement("a"), { href: url, download: name }).click();
    URL.revokeObjectURL(url);
  }
}

function counted(n, word) {
  return `${n} ${word}${n === 1 ? "" : "s"}`;
}
