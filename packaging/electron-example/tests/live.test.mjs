// Who is speaking, as they speak: Chromium's microphone hears two people who are enrolled, a
// stranger, and silence. LIVE_SESSIONS: how many such conversations, of other people each; LIVE_FROM:
// from which one on.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";

import { SPEECH_SKIP } from "../../../protocol/node/tests/sidecars.mjs";
import {
  folderFor,
  NO_BROWSER,
  openApp,
  photograph,
  says,
  serves,
  speakers,
  text,
} from "./app.mjs";
import { RATE_HZ, Sound } from "./sound.mjs";

const FROM = Number(process.env.LIVE_FROM ?? 0);
const N_SESSIONS = Number(process.env.LIVE_SESSIONS ?? 1);
const skip = NO_BROWSER ?? SPEECH_SKIP ?? false;

const STRANGER = "Unknown voice";
// By the beep one finds the place of the microphone's file in what the page heard of it.
const BEEP_S = 0.5;
const UTTERANCE_S = 6;
const GAP_S = 1.5;
const SILENCE_S = 4;
// After so much of a person's speech it is known who it is.
const ENOUGH_S = 2;

function beep() {
  const samples = Float32Array.from({ length: RATE_HZ / 10 }, (_, n) => 0.5 * Math.sin(n / 3));
  return Sound.silence(BEEP_S).addSamples(samples).add(Sound.silence(1.5));
}

/** A conversation: its sound, and who speaks when, as {name, startS, endS, enoughS}. */
async function conversation(sidecar, cast) {
  const sound = beep();
  const turns = [];
  for (const { name, path } of cast) {
    if (name === null) {
      sound.add(Sound.silence(SILENCE_S));
      continue;
    }
    const whole = Sound.read(path);
    const part = new Sound().addSamples(whole.part(0, Math.min(UTTERANCE_S, whole.durationS)));
    const startS = sound.durationS;
    const { segments } = await sidecar.speech({ samples: part.samples, sampleRateHz: RATE_HZ });
    turns.push({
      name,
      startS,
      endS: startS + part.durationS,
      enoughS: startS + afterSpeech(segments, ENOUGH_S),
    });
    sound.add(part).add(Sound.silence(GAP_S));
  }
  return { sound, turns };
}

/** When so much of the segments is over. */
function afterSpeech(segments, seconds) {
  for (const { startS, endS } of segments) {
    if (endS - startS >= seconds) return startS + seconds;
    seconds -= endS - startS;
  }
  throw new Error("there is too little speech in it");
}

/**
 * What was heard when. `at(s)`: when the microphone gave a place of its file; `placeAt(when)`: how
 * far in the file the sidecar's hearing was then, which is late where the computer is busy.
 */
function ear(did) {
  const pieces = [];
  const hearing = [{ at: 0, untilS: 0 }];
  let nSamples = 0;
  let shiftS = null;
  did.ipc.on("speaker-sidecar:push", (_event, _task, samples) => {
    const loud = shiftS === null ? samples.findIndex((sample) => Math.abs(sample) > 0.1) : -1;
    if (loud >= 0) shiftS = (nSamples + loud) / RATE_HZ - BEEP_S;
    nSamples += samples.length;
    pieces.push({ at: Date.now(), untilS: nSamples / RATE_HZ });
  });
  did.sent.on("news", (_channel, _task, { event, value }) => {
    if (event === "level") hearing.push({ at: Date.now(), untilS: value.endS });
  });
  return {
    at: (place) => pieces.find(({ untilS }) => untilS >= place + shiftS).at,
    placeAt: (when) => hearing.findLast(({ at }) => at <= when).untilS - shiftS,
    get placeNow() {
      return shiftS === null ? 0 : this.placeAt(Date.now());
    },
  };
}

/** Keep what the page says, and when. */
function watch(page) {
  return page.evaluate(`{
    const now = document.getElementById("now");
    window.said = [];
    new MutationObserver(() => window.said.push({ at: Date.now(), text: now.innerText }))
      .observe(now, { childList: true, characterData: true, subtree: true });
  }`);
}

/** Ada, Ben and the stranger of a conversation, as what each of them says. */
function castOf(number) {
  const everybody = speakers();
  // Each round has other neighbours, and other utterances.
  const round = Math.floor(number / everybody.length);
  return [0, 1, 2].map((n) => {
    const paths = everybody[(number + n * (round + 1)) % everybody.length];
    const long = paths.filter((path) => Sound.read(path).durationS > 5);
    return [...long.slice(2 * round), ...long.slice(0, 2 * round)];
  });
}

async function session(t, number, delays) {
  const folder = folderFor(t);
  const microphone = join(folder, "two-people.wav");
  const [ada, ben, stranger] = castOf(number);
  const { page, did } = await openApp(t, { microphone });
  await serves(page);
  await did.sidecar.people.enroll({ name: "Ada", audio: ada[0] });
  await did.sidecar.people.enroll({ name: "Ben", audio: ben[0] });
  await page.click("#add-person");
  await page.press("Escape");
  await says(page, "#people", "Ben");
  const { sound, turns } = await conversation(did.sidecar, [
    { name: "Ada", path: ada[1] },
    { name: "Ben", path: ben[1] },
    { name: STRANGER, path: stranger[0] },
    { name: null },
    { name: "Ben", path: ben[2] },
    { name: "Ada", path: ada[2] },
    { name: null },
  ]);
  sound.save(microphone);

  const heard = ear(did);
  await watch(page);
  await page.click("#listen");
  await page.until('Number(document.getElementById("live-level").ariaValueNow) > 30');
  await says(page, "#announcement", "Ada is speaking");
  const lastS = turns.at(-1).endS;
  while (heard.placeNow < turns.at(-1).startS + 3) await page.until("true");
  if (number === FROM && process.env.SCREENSHOTS) {
    await page.until('document.getElementById("now").innerText === "Ada"');
    await photograph(page, "live");
  }
  while (heard.placeNow < lastS + 3) await page.until("true");
  assert.equal(await text(page, "#now"), "Nobody is speaking");
  const said = (await page.evaluate("window.said")).map((one) => ({
    ...one,
    place: heard.placeAt(one.at),
  }));

  for (const { name, startS, endS, enoughS } of turns) {
    const enough = heard.at(enoughS);
    const told = said.filter(({ place }) => place >= startS && place < endS + 1);
    const words = JSON.stringify(told.map(({ place, text: one }) => [place - startS, one]));
    const isIt = (one) => one.replace(/ \d+/, "") === name;
    const first = told.find(({ text: one }) => isIt(one));
    assert.ok(first, `${name} is never said: ${words}`);
    // With a question mark it is a guess.
    const others = told.filter(({ text: one }) => /Ada|Ben|Unknown/.test(one) && !isIt(one));
    const sure = others.filter(({ text: one }) => !one.includes("?"));
    assert.deepEqual(sure, [], `another one than ${name} is said: ${words}`);
    const guessed = told.find(({ text: one }) => isIt(one.replace("?", "")));
    const delaysOf = name === STRANGER ? delays.strangers : delays.people;
    delaysOf.sure.push((first.at - enough) / 1000);
    delaysOf.guessed.push((guessed.at - enough) / 1000);
  }
  // In the silence nobody speaks.
  const quietFrom = turns[2].endS + 2;
  const inSilence = said.filter(({ place }) => place >= quietFrom && place < turns[3].startS);
  assert.deepEqual(inSilence, []);
  assert.equal(said.findLast(({ place }) => place < quietFrom).text, "Nobody is speaking");

  await page.click("#listen");
  await page.until('document.querySelector("#live-result article")');
  const names = await page.evaluate(
    '[...document.querySelectorAll("#live-result .turns button")].map((one) => one.textContent)',
  );
  const corrected = names
    .map((line) => line.replace(/^\S+ /, ""))
    .map((one) => one.replace(/ \d/, ""));
  const runs = corrected.filter((one, n) => one !== corrected[n - 1]);
  assert.deepEqual(runs, ["Ada", "Ben", STRANGER, "Ben", "Ada"]);
  if (number === FROM) await photograph(page, "hindsight");
  assert.deepEqual(page.logged, []);
}

const delays = {
  people: { sure: [], guessed: [] },
  strangers: { sure: [], guessed: [] },
};
for (let number = FROM; number < FROM + N_SESSIONS; number++) {
  test(`who speaks is said as they speak, conversation ${number + 1}`, { skip }, async (t) => {
    await session(t, number, delays);
    for (const [who, { sure, guessed }] of Object.entries(delays)) {
      for (const [how, values] of Object.entries({ sure, guessed })) {
        const sorted = [...values].sort((a, b) => a - b);
        const quantile = (share) => sorted[Math.ceil(share * sorted.length) - 1].toFixed(2);
        t.diagnostic(
          `${sorted.length} ${who}, ${how}: from the end of the first ${ENOUGH_S} s of their ` +
            `speech to the name on the page, median ${quantile(0.5)} s, 95th percentile ` +
            `${quantile(0.95)} s`,
        );
      }
    }
  });
}
