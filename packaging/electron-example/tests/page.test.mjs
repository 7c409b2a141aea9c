// The page in a real browser, with a real sidecar behind it. SCREENSHOT=FILE.png keeps a picture.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { test } from "node:test";

import {
  LIGHT,
  LIGHT_SKIP,
  REAL,
  SPEECH_SKIP,
  start,
  tone,
  utterances,
} from "../../../protocol/node/tests/sidecars.mjs";
import { wavBytes } from "../../../protocol/node/tests/wav.mjs";
import { CHROMIUM, Page } from "./chromium.mjs";
import { serve } from "./loopback.mjs";

const NO_BROWSER =
  CHROMIUM === undefined ? "there is no Chromium; name one in CHROMIUM" : undefined;

async function openPage(t, options) {
  const sidecar = await start(t, options);
  const { url, close } = await serve(sidecar);
  t.after(close);
  const page = await Page.open(url);
  t.after(() => page.close());
  await page.until('document.getElementById("state").dataset.state === "ready"');
  return { page, sidecar };
}

const text = (page, id) => page.evaluate(`document.getElementById("${id}").innerText`);
const enrolled = (n) =>
  `document.getElementById("voice").innerText.includes("mean of ${n} utterance")`;
const compared = (name) => `document.getElementById("result").innerText.startsWith("${name}")`;

test(
  "real speech: the same voice fills the bar, another does not",
  { skip: NO_BROWSER ?? SPEECH_SKIP ?? false },
  async (t) => {
    const { page } = await openPage(t, REAL);
    const paths = utterances();
    const speakerOf = (path) => path.split(/[\\/]/).at(-2);
    const own = paths.filter((path) => speakerOf(path) === speakerOf(paths[0])).slice(0, 4);
    const other = paths.find((path) => speakerOf(path) !== speakerOf(paths[0]));

    await page.dropFiles("#compare label", [other]);
    await page.until('!document.getElementById("fault").hidden');
    assert.equal(await text(page, "fault"), "Enrol a voice first.");

    await page.dropFiles("#enrol label", own.slice(0, 3));
    await page.until(enrolled(3));
    assert.match(await text(page, "utterances"), new RegExp(basename(own[2])));

    const similarity = async (path) => {
      await page.dropFiles("#compare label", [path]);
      await page.until(compared(basename(path)));
      return Number(
        await page.evaluate('document.getElementById("similarity").getAttribute("aria-valuenow")'),
      );
    };
    const different = await similarity(other);
    const same = await similarity(own[3]);
    t.diagnostic(`the same voice: ${same}, another: ${different}`);
    assert.ok(same > 0.55 && different < 0.45, `${same}, ${different}`);
    await page.until('document.getElementById("fill").getBoundingClientRect().width > 100');
    assert.equal(await page.evaluate('document.getElementById("fault").hidden'), true);

    const device = await text(page, "device");
    assert.match(device, /campplus-zh-en, 192 dimensions/);
    assert.match(device, /cpu|cuda/);
    if (process.env.SCREENSHOT) {
      await new Promise((resolve) => setTimeout(resolve, 500)); // until the bar is as long as it gets
      writeFileSync(process.env.SCREENSHOT, await page.screenshot());
    }
    assert.deepEqual(page.logged, []);
  },
);

test(
  "files, recordings, and what cannot be used",
  { skip: NO_BROWSER ?? LIGHT_SKIP ?? false },
  async (t) => {
    const { page } = await openPage(t, LIGHT);
    const folder = mkdtempSync(join(tmpdir(), "sidecar-page-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = (name, bytes) => {
      writeFileSync(join(folder, name), bytes);
      return join(folder, name);
    };
    const voice = file("voice.wav", wavBytes(tone(24_000).samples));
    const short = file("short.wav", wavBytes(tone(100).samples));
    const letter = file("letter.txt", "Dear sidecar");

    await page.dropFiles("#enrol label", [voice]);
    await page.until(enrolled(1));
    assert.match(await text(page, "utterances"), /voice\.wav, 1\.5 s/);

    for (const [bad, fault] of [
      [short, /lasts 0.006 s/],
      [letter, /decode/],
    ]) {
      await page.dropFiles("#enrol label", [bad]);
      await page.until('!document.getElementById("fault").hidden');
      assert.match(await text(page, "fault"), fault);
      await page.dropFiles("#compare label", [voice]);
      await page.until('document.getElementById("fault").hidden');
    }
    assert.equal(await text(page, "voice"), "The mean of 1 utterance.");

    // The browser's own test tone takes the microphone's place.
    await page.click("#enrol button");
    await page.until('document.querySelector("#enrol button").innerText === "Stop"');
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await page.click("#enrol button");
    await page.until(enrolled(2));
    assert.match(await text(page, "utterances"), /a recording, [0-9.]+ s/);

    await page.click("#forget");
    await page.until('document.getElementById("voice").innerText === "No voice yet."');
    assert.equal(await text(page, "utterances"), "");
    assert.deepEqual(page.logged, []);
  },
);
