// Who is speaking, as they speak; and, once it is stopped, who spoke when, in hindsight.

import { asTold } from "./as_told.js";
import { attempt, showFault } from "./faults.js";
import { showLevel } from "./level.js";
import { colourOf, forgetStrangers, voiceOf } from "./palette.js";
import { RecordingView } from "./recording_view.js";
import { devices, listen, workletUrl } from "./speaker.js";
import { Tape } from "./tape.js";
import { Timeline } from "./timeline.js";
import { clock } from "./words.js";

const element = (id) => document.getElementById(id);

// The timeline shows at least and at most so much of it.
const SHORTEST_S = 30;
const LONGEST_S = 120;
const DRAW_AFTER_MS = 250;

const timeline = new Timeline(element("live-timeline"));
let listening = null;
let tape = null;
// Up to where the microphone was heard: a busy computer is late.
let heardS = 0;
let view = null;
let drawTimer = null;

element("listen").addEventListener("click", async () => {
  element("listen").disabled = true;
  await attempt(listening ? stop : start);
  element("listen").disabled = false;
});

async function start() {
  view?.close();
  view = null;
  heardS = 0;
  tape = new Tape();
  forgetStrangers();
  listening = await listen({
    identify: true,
    deviceId: element("microphone").value || undefined,
    workletUrl,
    onSpeaking: showNow,
    onSamples: (samples) => tape.add(samples),
    onLevel: (level) => showLevel(element("live-level"), level),
    onHeard: (seconds) => (heardS = seconds),
    onLag: ({ bufferedS }) => {
      element("stage-hint").textContent =
        bufferedS > 1 ? `Hearing is ${Math.round(bufferedS)} s late.` : "Listening";
    },
    onError: (error) => {
      showFault(error);
      if (listening) void stop();
    },
  });
  drawTimer = setInterval(draw, DRAW_AFTER_MS);
  isListening(true);
  showNow([]);
  draw();
  await listDevices();
}

async function stop() {
  const stopped = listening;
  listening = null;
  clearInterval(drawTimer);
  isListening(false);
  say("nobody", "Looking back …");
  let isTold = false;
  const result = await stopped.close().catch((error) => {
    // Nothing that was recorded is lost with the service.
    showFault(error);
    isTold = true;
    return asTold(stopped.turns, tape.durationS);
  });
  const at = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const title = `Conversation at ${at}`;
  view = new RecordingView(element("live-result"), { title, blob: tape.wav, result });
  element("live-timeline").hidden = true;
  const how = isTold ? "as it was told" : "corrected in hindsight";
  element("stage-hint").textContent = `Below is what was said, ${how}.`;
  say("nobody", "Not listening");
}

function isListening(yes) {
  element("listen").textContent = yes ? "Stop" : "Listen";
  element("listen").classList.toggle("recording", yes);
  // A service that starts again goes on with the stream: one can stop it all the same.
  element("listen").toggleAttribute("data-needs-service", !yes);
  element("microphone").disabled = yes;
  element("stage-hint").textContent = yes ? "Listening" : "";
  showLevel(element("live-level"));
  if (yes) element("live-timeline").hidden = false;
}

/** Whose it is; null: not known yet. Who it is may be known before the label is. */
function voiceOfTurn({ speaker, person }) {
  return speaker === null && !person ? null : voiceOf(speaker, person);
}

/** Who speaks now, in large letters; and, once it is sure and another, for a screen reader. */
function showNow(speaking) {
  if (listening === null) return;
  const voices = speaking
    .map(({ turn, sure }) => ({ voice: voiceOfTurn(turn), sure }))
    .filter(({ voice }) => voice !== null);
  if (voices.length === 0) {
    say("nobody", speaking.length === 0 ? "Nobody is speaking" : "Somebody is speaking …");
    return;
  }
  element("stage").style.setProperty("--voice", colourOf(voices[0].voice.key));
  const who = voices.some(({ voice }) => voice.isKnown) ? "known" : "unknown";
  say(who, voices.map(({ voice, sure }) => (sure ? voice.name : `${voice.name}?`)).join(" and "));
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
  const recordedS = tape.durationS;
  element("elapsed").textContent = clock(recordedS);
  const known = listening.turns
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
