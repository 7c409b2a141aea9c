// The picture of a conversation: time from left to right, a row for each voice.

import { colourOf } from "./palette.js";
import { clock, duration } from "./words.js";

// Between two marks, in seconds; of these the first that leaves each of them room.
const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
const MOST_MARKS = 8;
const MARK_PX = 80;

export class Timeline {
  #root;
  #onSeek;
  #onName;
  #positionS = null;
  #fromS = 0;
  #toS = 1;

  /**
   * In `root`, an element of the class `timeline`.
   *
   * @param onSeek - is given the second that was clicked at; absent: it only shows.
   * @param onName - is given the voice whose name was clicked; absent: names are text.
   */
  constructor(root, { onSeek, onName } = {}) {
    this.#root = root;
    this.#onSeek = onSeek;
    this.#onName = onName;
    new ResizeObserver(() =>
      this.#root.querySelector(".scale")?.replaceWith(this.#scale()),
    ).observe(root);
  }

  /**
   * Show it.
   *
   * @param voices - [{key, name, isKnown}], a row each.
   * @param turns - [{startS, endS, key}].
   */
  show({ voices, turns, fromS, toS }) {
    [this.#fromS, this.#toS] = [fromS, toS];
    const rows = voices.map((voice) => this.#row(voice, turns));
    this.#root.replaceChildren(...rows.flat(), this.#scale());
    this.positionS = this.#positionS;
  }

  /** Where the playback is; null: nowhere. */
  set positionS(seconds) {
    this.#positionS = seconds;
    for (const cursor of this.#root.querySelectorAll(".cursor")) {
      cursor.hidden = seconds === null;
      cursor.style.left = this.#percent(seconds ?? 0);
    }
  }

  #row(voice, turns) {
    const own = turns.filter(({ key }) => key === voice.key);
    const speechS = own.reduce((sum, { startS, endS }) => sum + endS - startS, 0);
    const name = made(this.#onName ? "button" : "span", "voice", voice.name);
    if (this.#onName) {
      name.type = "button";
      name.title = voice.isKnown ? "Not the right name?" : "Give this voice a name";
      if (!voice.isKnown) name.append(made("span", "tag", "Name…"));
      name.addEventListener("click", () => this.#onName(voice));
    }
    name.style.setProperty("--voice", colourOf(voice.key));
    const lane = made("div", voice.isKnown ? "lane" : "lane stranger");
    // The turns are told in a list of their own.
    lane.ariaHidden = "true";
    lane.style.setProperty("--voice", colourOf(voice.key));
    lane.append(...own.filter(({ endS }) => endS > this.#fromS).map((turn) => this.#bar(turn)));
    lane.append(made("div", "cursor"));
    if (this.#onSeek) {
      lane.classList.add("seekable");
      lane.addEventListener("click", ({ clientX }) => {
        const { left, width } = lane.getBoundingClientRect();
        this.#onSeek(this.#fromS + ((clientX - left) / width) * (this.#toS - this.#fromS));
      });
    }
    const share = made("span", "share", duration(speechS));
    share.title = `${voice.name} speaks for ${share.textContent}`;
    return [name, lane, share];
  }

  #bar({ startS, endS }) {
    const bar = made("div", "turn");
    const fromS = Math.max(startS, this.#fromS);
    bar.style.left = this.#percent(fromS);
    bar.style.width = `${(100 * (endS - fromS)) / (this.#toS - this.#fromS)}%`;
    bar.title = `${clock(startS)} to ${clock(endS)}`;
    return bar;
  }

  #scale() {
    const scale = made("div", "scale");
    scale.ariaHidden = "true";
    const lengthS = this.#toS - this.#fromS;
    const most = Math.min(MOST_MARKS, Math.max(2, this.#root.clientWidth / MARK_PX));
    const stepS = STEPS_S.find((step) => lengthS / step <= most) ?? 14_400;
    const firstS = Math.ceil(this.#fromS / stepS) * stepS;
    for (let at = firstS; at <= this.#toS; at += stepS) {
      const mark = made("span", "mark", clock(at));
      mark.style.left = this.#percent(at);
      scale.append(mark);
    }
    return scale;
  }

  #percent(seconds) {
    return `${(100 * (seconds - this.#fromS)) / (this.#toS - this.#fromS)}%`;
  }
}

function made(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}
