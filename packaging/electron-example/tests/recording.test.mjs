// A dropped recording: who speaks when, to be heard, named, and exported.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { ROOT, SPEECH_SKIP } from "../../../protocol/node/tests/sidecars.mjs";
import { folderFor, NO_BROWSER, openApp, photograph, says, serves, text } from "./app.mjs";
import { until } from "./electron.mjs";
import { Sound } from "./sound.mjs";

const RECORDING = join(ROOT, "..", "shared", "audio", "conversations", "made-en-3.flac");
const skip =
  NO_BROWSER ?? SPEECH_SKIP ?? (existsSync(RECORDING) ? false : "no ../shared with conversations");

/** Who speaks when, as it is known. */
function reference() {
  return readFileSync(RECORDING.replace(".flac", ".rttm"), "utf8")
    .trim()
    .split("\n")
    .map((line) => line.split(" "))
    .map(([, , , start, length, , , who]) => ({ startS: +start, endS: +start + +length, who }));
}

async function exported(page, folder, format) {
  await page.click(`[data-format=${format}]`);
  const path = join(folder, `made-en-3.${format}`);
  await until(() => existsSync(path) && readFileSync(path).length > 0);
  return readFileSync(path, "utf8");
}

test("a recording is seen, heard, named and exported", { skip }, async (t) => {
  const { page, did } = await openApp(t);
  const folder = folderFor(t);
  await serves(page);
  await page.call("Page.setDownloadBehavior", { behavior: "allow", downloadPath: folder });
  // To the other tab by the keyboard.
  await page.evaluate('document.getElementById("live-tab").focus()');
  await page.press("ArrowRight");
  await page.until('document.activeElement.id === "file-tab"');
  await page.dropFiles("#drop", [RECORDING]);
  await page.until('document.querySelector("#file-result article")');
  assert.equal(await text(page, ".title"), "made-en-3.flac");
  assert.match(await text(page, ".summary"), /, 3 voices, \d+ turns/);
  assert.deepEqual(await page.evaluate("[...document.querySelectorAll('.lane')].length"), 3);

  // Each voice gets the name that the reference has for it.
  const turns = reference();
  const nameAt = (seconds) =>
    turns.find(({ startS, endS }) => startS <= seconds && seconds < endS)?.who;
  const names = {};
  for (const { who } of turns) names[who] ??= ["Ada", "Ben", "Chloë"][Object.keys(names).length];
  for (const [who, name] of Object.entries(names)) {
    const { startS, endS } = turns
      .filter((turn) => turn.who === who)
      .reduce((a, b) => (b.endS - b.startS > a.endS - a.startS ? b : a));
    const middleS = (startS + endS) / 2;
    if (name === "Chloë") {
      // There is still somebody without a name.
      await page.evaluate("document.querySelector('audio').currentTime = 61");
      await photograph(page, "recording");
    }
    await nameVoiceAt(page, middleS, name);
  }
  await says(page, "#people", "Chloë");
  assert.equal((await did.sidecar.people.list()).length, 3);

  const rttm = await exported(page, folder, "rttm");
  const told = rttm
    .trim()
    .split("\n")
    .map((line) => line.split(" "))
    .map(([, , , start, length, , , name]) => ({ startS: +start, lengthS: +length, name }));
  const total = told.reduce((sum, { lengthS }) => sum + lengthS, 0);
  const right = told
    .filter(({ startS, lengthS, name }) => names[nameAt(startS + lengthS / 2)] === name)
    .reduce((sum, { lengthS }) => sum + lengthS, 0);
  t.diagnostic(`under the right name: ${((100 * right) / total).toFixed(1)} % of what is told`);
  assert.ok(right / total > 0.9, `${right} of ${total}`);
  assert.match(await exported(page, folder, "vtt"), /^WEBVTT\n\n00:00:\d\d\.\d{3} --> .*\n<v /);
  const json = JSON.parse(await exported(page, folder, "json"));
  assert.deepEqual(json.speakers.map(({ name }) => name).sort(), ["Ada", "Ben", "Chloë"]);
  assert.equal(json.turns.length, told.length);

  // Playing: the cursor goes on, a click leads to another place, and so do the arrow keys.
  await page.click(".play");
  await says(page, ".play", "Pause");
  await page.until("document.querySelector('audio').currentTime > 0.3");
  await page.until("parseFloat(document.querySelector('.cursor').style.left) > 0");
  await page.click(".play");
  await says(page, ".play", "Play");
  await page.click(".lane.seekable");
  await page.until(`Math.abs(
    document.querySelector("audio").currentTime - document.querySelector("audio").duration / 2
  ) < 3`);
  await page.evaluate("document.querySelector('audio').pause()");
  await page.evaluate('document.querySelector(".position").focus()');
  const before = await page.evaluate("document.querySelector('audio').currentTime");
  await page.press("ArrowRight");
  await page.until(`document.querySelector('audio').currentTime > ${before}`);
  const said = await page.evaluate('document.querySelector(".position").ariaValueText');
  assert.match(said, /^\d:\d\d (nobody|Ada|Ben|Chloë)/);

  // Known by now, they are named at once.
  await page.dropFiles("#drop", [RECORDING]);
  await page.until('!document.querySelector("#hearing").hidden');
  await page.until('document.querySelectorAll("#file-result .lane").length === 3');
  const rows = await page.evaluate(
    '[...document.querySelectorAll("#file-result .voice")].map((one) => one.innerText)',
  );
  assert.deepEqual(rows.sort(), ["Ada", "Ben", "Chloë"]);
  assert.deepEqual(page.logged, []);
});

/** Give the voice that speaks there a name, by the list of turns. */
async function nameVoiceAt(page, seconds, name) {
  const row = await page.evaluate(`(() => {
    const { duration } = document.querySelector("audio");
    const lanes = [...document.querySelectorAll("#file-result .lane")];
    return lanes.findIndex((lane) => [...lane.querySelectorAll(".turn")].some(({ style }) => {
      const [from, width] = [style.left, style.width].map((text) => parseFloat(text) / 100);
      return from <= ${seconds} / duration && ${seconds} / duration < from + width;
    }));
  })()`);
  assert.ok(row >= 0, `nobody speaks at ${seconds} s`);
  await page.evaluate(`document.querySelectorAll("#file-result .voice")[${row}].focus()`);
  await page.press("Enter");
  await page.until('document.activeElement.id === "answer"');
  await page.write(name);
  await page.press("Enter");
  await says(page, "#file-result .outcome", `${name} is known by voice`);
}

test("what is no recording is a sentence, and a long one can be cancelled", { skip }, async (t) => {
  const { page } = await openApp(t);
  await serves(page);
  await page.click("#file-tab");
  await page.dropFiles("#drop", [RECORDING.replace(".flac", ".rttm")]);
  await says(page, "#fault", "This is not a recording that can be read here.");
  await page.click("#dismiss");
  await page.until('document.querySelector("#fault").hidden');
  const long = join(folderFor(t), "long.wav");
  const minute = Sound.read(RECORDING);
  const sound = new Sound();
  while (sound.durationS < 600) sound.add(minute);
  sound.save(long);
  await page.dropFiles("#drop", [long]);
  await says(page, "#heard", "of 12:");
  await page.click("#cancel");
  await page.until('document.querySelector("#hearing").hidden');
  assert.equal(await page.evaluate('document.querySelector("#fault").hidden'), true);
  assert.equal(await page.evaluate('document.querySelector("#file-result").children.length'), 0);
});
