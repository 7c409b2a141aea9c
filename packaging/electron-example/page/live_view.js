// Who is speaking, as they speak; and, once it is stopped, who spoke when, in hindsight.

import { attempt, showFault } from "./faults.js";
import { devices, Microphone, RATE_HZ, showLevel, wavOf } from "./microphone.js";
import { colourOf, forgetStrangers, voiceOf } from "./palette.js";
import { RecordingView } from "./recording_view.js";
import { ask, on, push } from "./service.js";
import { Timeline } from "./timeline.js";
import { clock } from "./words.js";

const element = (id) => document.getElementById(id);

// The timeline shows at least and at most so much of it.
const SHORTEST_S = 30;
const LONGEST_S = 120;
const DRAW_AFTER_MS = 250;
// A turn's first name may be that of who spoke before: so long it stands there with a question mark.
const SURE_AFTER_S = 1.75;

const timeline = new Timeline(element("live-timeline"));
const turns = new Map();
let microphone = null;
// Of the microphone; and of that, what the service has heard.
let recordedS = 0;
let heardS = 0;
let view = null;
let drawTimer = null;

element("listen").addEventListener("click", async () => {
  element("listen").disabled = true;
  await attempt(microphone ? stop : start);
  element("listen").disabled = false;
});

on("turn", (turn) => {
  if (microphone === null) return;
  turns.set(turn.turn, turn);
  showNow();
});
on("heardUntil", (seconds) => {
  heardS = seconds;
  showNow();
});
on("lag", ({ bufferedS }) => {
  if (microphone === null) return;
  element("stage-hint").textContent =
    bufferedS > 1 ? `Hearing is ${Math.round(bufferedS)} s late.` : "Listening";
});
on("liveFault", (error) => {
  showFault(error);
  if (microphone) void stop().catch(showFault);
});

async function start() {
  view?.close();
  view = null;
  turns.clear();
  recordedS = heardS = 0;
  forgetStrangers();
  await ask("listen", RATE_HZ);
  try {
    microphone = await Microphone.open({
      onPiece({ samples, level }) {
        push(samples);
        recordedS += samples.length / RATE_HZ;
        showLevel(element("live-level"), level);
      },
      onGone: () => attempt(stop),
      deviceId: element("microphone").value,
    });
  } catch (error) {
    await ask("hindsight");
    throw error;
  }
  drawTimer = setInterval(draw, DRAW_AFTER_MS);
  isListening(true);
  showNow();
  draw();
  await listDevices();
}

async function stop() {
  const stopped = microphone;
  microphone = null;
  clearInterval(drawTimer);
  await stopped.close();
  isListening(false);
  say("nobody", "Looking back …");
  try {
    const result = await ask("hindsight");
    if (result === null) return;
    const at = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    const title = `Conversation at ${at}`;
    view = new RecordingView(element("live-result"), {
      title,
      blob: wavOf(stopped.samples),
      result,
    });
    element("live-timeline").hidden = true;
    element("stage-hint").textContent = "Below is what was said, corrected in hindsight.";
  } finally {
    say("nobody", "Not listening");
  }
}

function isListening(yes) {
  element("listen").textContent = yes ? "Stop" : "Listen";
  element("listen").classList.toggle("recording", yes);
  // A service that starts again goes on with the stream: one can stop it all the same.
  element("listen").toggleAttribute("data-needs-service", !yes);
  element("microphone").disabled = yes;
  element("stage-hint").textContent = yes ? "Listening" : "";
  showLevel(element("live-level"), 0);
  if (yes) element("live-timeline").hidden = false;
}

/** Whose it is; null: not known yet. Who it is may be known before the label is. */
function voiceOfTurn({ speaker, person }) {
  return speaker === null && !person ? null : voiceOf(speaker, person);
}

/** Who speaks now, in large letters; and, once it is sure and another, for a screen reader. */
function showNow() {
  if (microphone === null) return;
  const open = [...turns.values()].filter(({ endS }) => endS === null);
  const named = open.filter((turn) => voiceOfTurn(turn) !== null);
  if (named.length === 0) {
    say("nobody", open.length === 0 ? "Nobody is speaking" : "Somebody is speaking …");
    return;
  }
  const voices = named.map(voiceOfTurn);
  const words = named.map(({ startS }, n) => {
    const isSure = heardS - startS >= SURE_AFTER_S;
    return isSure ? voices[n].name : `${voices[n].name}?`;
  });
  element("stage").style.setProperty("--voice", colourOf(voices[0].key));
  const who = voices.some(({ isKnown }) => isKnown) ? "known" : "unknown";
  say(who, [...new Set(words)].join(" and "));
}

function say(who, text) {
  element("stage").dataset.who = who;
  if (element("now").textContent === text) return;
  element("now").textContent = text;
  // Not each pause, and not each guess.
  if (who !== "nobody" && !text.includes("?")) {
    element("announcement").textContent = `${text} is speaking`;
  }
}

function draw() {
  element("elapsed").textContent = clock(recordedS);
  const known = [...turns.values()]
    .map((turn) => ({ ...turn, endS: turn.endS ?? heardS, voice: voiceOfTurn(turn) }))
    .filter(({ voice, startS, endS }) => voice !== null && endS > startS);
  const voices = new Map(known.map(({ voice }) => [voice.key, voice]));
  timeline.show({
    voices: [...voices.values()],
    turns: known.map(({ startS, endS, voice }) => ({ startS, endS, key: voice.key })),
    fromS: Math.max(0, recordedS - LONGEST_S),
    toS: Math.max(SHORTEST_S, recordedS),
  });
}

/** The choice of microphones; it stays as it was where that is still there. */
export async function listDevices() {
  const chosen = element("microphone").value;
  const options = (await devices()).map(({ id, name }) => new Option(name, id));
  if (options.length === 0) options.push(new Option("The system's choice", ""));
  element("microphone").replaceChildren(...options);
  if (options.some(({ value }) => value === chosen)) element("microphone").value = chosen;
}
