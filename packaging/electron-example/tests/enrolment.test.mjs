// People become known by voice: from files, and from the microphone.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { SPEECH_SKIP } from "../../../protocol/node/tests/sidecars.mjs";
import { wavBytes } from "../../../protocol/node/tests/wav.mjs";
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
import { Sound } from "./sound.mjs";

const skip = NO_BROWSER ?? SPEECH_SKIP ?? false;
const shut = '!document.getElementById("enrolment").open';

test("from files: what is missing, what is wrong, and who is known", { skip }, async (t) => {
  const { page } = await openApp(t);
  await serves(page);
  const folder = folderFor(t);
  const wav = (name, samples) => {
    writeFileSync(join(folder, name), wavBytes(samples));
    return join(folder, name);
  };
  const [ada, ben] = speakers();
  const voice = Sound.read(ada[0]);
  const silence = wav("silence.wav", new Float32Array(48_000));
  const little = wav("little.wav", voice.part(0, 2.2));
  const letter = join(folder, "letter.txt");
  writeFileSync(letter, "Dear sidecar");
  await page.evaluate('document.getElementById("add-person").focus()');
  await page.press("Enter");
  await page.until('document.activeElement.id === "name"');

  // Who it is must be said first.
  await page.dropFiles("#enrolment .drop", [little]);
  await says(page, "#advice", "Type a name first");
  await page.write("Ada");
  for (const [bad, fault] of [
    [silence, "Nobody speaks in it."],
    [letter, "This is not a recording that can be read here."],
  ]) {
    await page.dropFiles("#enrolment .drop", [bad]);
    await says(page, "#advice", fault);
  }
  await page.dropFiles("#enrolment .drop", [little]);
  await says(page, "#speech-text", "s more of speech, and Ada is known by voice.");
  const share = await page.evaluate('document.getElementById("speech-share").value');
  assert.ok(share > 0.3 && share < 1, `${share}`);
  await page.press("Escape");
  await page.until(shut);
  await says(page, "#people", "s more of speech needed");

  await page.click("[aria-label='More speech of Ada']");
  await says(page, "#enrolment-title", "More of Ada");
  await page.dropFiles("#enrolment .drop", [ada[1]]);
  await says(page, "#speech-text", "Ada is known by voice, from");
  // Somebody else's voice is no more of Ada's.
  await page.dropFiles("#enrolment .drop", [ben[0]]);
  await says(page, "#advice", "It does not sound like the other recordings of Ada");
  await page.click("#enrolment-done");
  await page.until(shut);
  await says(page, "#people", "Known, from ");

  await page.click("#add-person");
  await page.write("Zoë");
  await page.dropFiles("#enrolment .drop", [ada[2]]);
  await says(page, "#advice", "It sounds like Ada, who is in the list. Are they one person?");
  await page.click("#enrolment-done");
  await says(page, "#people", "Zoë");
  await page.click("[aria-label='Rename Zoë']");
  await page.write("Zoe");
  await page.press("Enter");
  await says(page, "#people", "Zoe");
  await page.click("[aria-label='Forget Zoe']");
  await page.click("#question-confirm");
  await page.until('document.querySelectorAll("#people li").length === 1');
  assert.deepEqual(page.logged, []);
});

test("a person of whom nothing was heard is not kept", { skip }, async (t) => {
  const { page } = await openApp(t);
  await serves(page);
  const short = join(folderFor(t), "short.wav");
  const voice = Sound.read(speakers()[0][0]);
  writeFileSync(short, wavBytes(voice.part(0.5, 1.4)));
  await page.click("#add-person");
  await page.write("Ada");
  await page.dropFiles("#enrolment .drop", [short]);
  await says(page, "#advice", "There was too little speech in it");
  await page.press("Escape");
  await page.until(`${shut} && document.querySelectorAll("#people li").length === 0`);
});

test("from the microphone: it stops once it has heard enough", { skip }, async (t) => {
  const microphone = join(folderFor(t), "microphone.wav");
  const [ada] = speakers();
  const sound = Sound.silence(0.5);
  for (const path of ada.slice(0, 2)) sound.add(Sound.read(path));
  sound.save(microphone);
  const { page, did } = await openApp(t, { microphone });
  await serves(page);
  const others = speakers();
  await did.sidecar.people.enroll({ name: "Ben", audio: others[1][0] });
  await did.sidecar.people.enroll({ name: "Chloë", audio: others[2][0] });
  await page.click("#add-person");
  await page.press("Escape");
  await says(page, "#people", "Chloë");
  await page.click("#add-person");
  await page.write("Ada");
  await page.click("#record");
  await says(page, "#record", "Stop");
  await page.until('Number(document.getElementById("record-level").ariaValueNow) > 30');
  await page.until('parseFloat(document.getElementById("speech-text").innerText) > 1.5');
  await photograph(page, "enrolment");
  await says(page, "#speech-text", "Ada is known by voice, from ");
  assert.equal(await text(page, "#record"), "Record");
  assert.deepEqual(page.logged, []);
});
