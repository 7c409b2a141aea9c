// What the page writes and says, without a page.

import assert from "node:assert/strict";
import { test } from "node:test";

import { exported } from "../page/exports.js";
import { advice, clock, duration, fault, need, serviceReport } from "../page/words.js";

const CONVERSATION = {
  title: "team talk.m4a",
  durationS: 3725.5,
  turns: [
    { startS: 0.25, endS: 2, name: "Ada & Ben <x>", overlap: true },
    { startS: 3661.0004, endS: 3725.4996, name: "Unknown voice 2", overlap: false },
  ],
  speakers: [{ label: "S1", name: "Ada & Ben <x>", isKnown: true, speechS: 1.75 }],
};

test("RTTM", () => {
  assert.deepEqual(exported("rttm", CONVERSATION), {
    name: "team talk.rttm",
    type: "text/plain",
    text:
      "SPEAKER team_talk 1 0.250 1.750 <NA> <NA> Ada_&_Ben_<x> <NA> <NA>\n" +
      "SPEAKER team_talk 1 3661.000 64.499 <NA> <NA> Unknown_voice_2 <NA> <NA>\n",
  });
});

test("WebVTT", () => {
  const { text } = exported("vtt", CONVERSATION);
  assert.equal(
    text,
    "WEBVTT\n" +
      "\n00:00:00.250 --> 00:00:02.000\n" +
      "<v Ada &amp; Ben &lt;x&gt;>Ada &amp; Ben &lt;x&gt;</v>\n" +
      "\n01:01:01.000 --> 01:02:05.500\n<v Unknown voice 2>Unknown voice 2</v>\n",
  );
});

test("JSON", () => {
  const { name, text } = exported("json", CONVERSATION);
  assert.equal(name, "team talk.json");
  const { file, duration_s, turns, speakers } = JSON.parse(text);
  assert.deepEqual([file, duration_s], ["team talk.m4a", 3725.5]);
  assert.deepEqual(turns[0], { start_s: 0.25, end_s: 2, speaker: "Ada & Ben <x>", overlap: true });
  assert.deepEqual(speakers, [{ label: "S1", name: "Ada & Ben <x>", known: true, speech_s: 1.75 }]);
});

test("a title that can be no file's name", () => {
  const { name } = exported("rttm", { ...CONVERSATION, title: "Conversation at 09:13 PM" });
  assert.equal(name, "Conversation at 09.13 PM.rttm");
});

test("times", () => {
  assert.deepEqual([0, 59.9, 61, 3723].map(clock), ["0:00", "0:59", "1:01", "1:02:03"]);
  assert.deepEqual([0.4, 59.4, 59.6, 125].map(duration), ["0 s", "59 s", "1:00 min", "2:05 min"]);
});

test("what is missing, and what is wrong", () => {
  const ada = { name: "Ada", used: true };
  assert.equal(
    need({ ...ada, progress: 0.4, neededS: 1.84, speechS: 1.2 }),
    "1.8 s more of speech, and Ada is known by voice.",
  );
  assert.equal(
    need({ ...ada, progress: 1, neededS: 0, speechS: 4 }),
    "Ada is known by voice, from 4 s of speech.",
  );
  assert.deepEqual(advice(ada), []);
  const warnings = [
    { kind: "too_little_speech", message: "x" },
    { kind: "poor_quality", message: "x", flags: ["quiet", "noisy"] },
    { kind: "sounds_like", message: "x", name: "Zoë" },
    { kind: "a later one", message: "In the child's words." },
  ];
  const told = advice({ ...ada, used: false, warnings });
  assert.equal(told.length, 5);
  assert.match(told[0], /too little speech/);
  assert.match(told[1], /very quiet/);
  assert.match(told[3], /Zoë/);
  assert.equal(told[4], "In the child's words.");
  // Kept, but not enough yet: `need` says that.
  assert.deepEqual(advice({ ...ada, warnings: warnings.slice(0, 1) }), []);
});

test("what the voice service is doing", () => {
  const nothing = { health: null, progress: null, error: null };
  const device = { selected: "cpu", reason: "no graphics card" };
  const health = { device, model: { id: "campplus" } };
  const progress = { phase: "download", unit: "bytes", done: 3e6, total: 28e6 };
  const said = (report) => serviceReport({ ...nothing, ...report });
  assert.deepEqual(said({ state: "ready", health }), {
    state: "ready",
    sentence: "Ready, on the processor.",
    detail: "campplus; no graphics card",
  });
  assert.equal(
    said({ state: "loading", progress }).sentence,
    "The voice model is being fetched: 3 of 28 MB.",
  );
  assert.equal(said({ state: "starting" }).sentence, "The voice service is starting.");
  assert.equal(said({ state: "restarting" }).sentence, "The voice service is starting again.");
  const failed = (name, kind) => said({ state: "failed", error: { name, kind, message: "why" } });
  assert.deepEqual(failed("CommandNotFound", "command_not_found"), {
    state: "failed",
    sentence: "The voice service is not installed.",
    detail: "why",
  });
  assert.match(failed("ModelUnavailable", "offline").sentence, /online/);
  assert.match(failed("ModelUnavailable", "damaged").sentence, /model cannot be used/);
  assert.match(failed("ChildGone", "usage").sentence, /could not be started/);
});

test("faults", () => {
  assert.equal(fault({ kind: "no_speech", message: "x" }), "Nobody speaks in it.");
  assert.equal(fault(new DOMException("x", "NotFoundError")), "There is no microphone.");
  assert.equal(fault(new Error("as it is")), "as it is");
});
