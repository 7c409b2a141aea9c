// The microphone in a real Chromium, which hears a file in its place.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { CHROMIUM, Page } from "../../../packaging/electron-example/tests/chromium.mjs";
import { servePage } from "./loopback_page.mjs";
import { LIGHT_SKIP, ready, start } from "./sidecars.mjs";
import { wavBytes } from "./wav.mjs";

const SKIP = { skip: !CHROMIUM && "there is no Chromium: install one, or name it in CHROMIUM" };
const TONE_HZ = 1_000;

/** A page whose script is `script`, in a browser that hears `samples` of 48 kHz. */
async function openPage(t, script, { samples = tone(), policy, sidecar } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "sidecar-microphone-"));
  const file = join(folder, "heard.wav");
  writeFileSync(file, wavBytes(samples, 48_000));
  const served = await servePage(script, { policy, sidecar });
  const page = await Page.open(served.url, [
    `--use-file-for-fake-audio-capture=${file}`,
    "--autoplay-policy=no-user-gesture-required",
  ]);
  t.after(async () => {
    await page.close();
    served.close();
    rmSync(folder, { recursive: true });
  });
  return page;
}

function tone(durationS = 4) {
  return Float32Array.from(
    { length: durationS * 48_000 },
    (_, n) => 0.5 * Math.sin((2 * Math.PI * TONE_HZ * n) / 48_000),
  );
}

const OPEN = `
import { microphones, openMicrophone } from "./renderer.js";

window.chunks = [];
window.asked = [];
const getUserMedia = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = (constraints) => {
  asked.push(constraints);
  return getUserMedia(constraints);
};
window.begin = async (options = {}) => {
  window.microphone = await openMicrophone({ echoCancellation: false, ...options }, {
    onSamples: (samples, level) => chunks.push({ samples: [...samples], ...level }),
    onEnded: () => (window.ended = true),
  });
  return { label: microphone.label, devices: await microphones() };
};`;

test("chunks of 100 ms of 16 kHz, mono, with their level", SKIP, async (t) => {
  const page = await openPage(t, OPEN);
  await page.until("typeof begin === 'function'");
  const { label, devices } = await page.evaluate("begin()");
  assert.ok(label.length > 0);
  assert.ok(devices.length > 0 && devices.every(({ deviceId }) => deviceId.length > 0));
  await page.until("chunks.length >= 12");
  const nBefore = await page.evaluate("microphone.close().then(() => chunks.length)");
  const chunks = await page.evaluate("chunks");
  assert.equal(chunks.length, nBefore);
  const whole = chunks.slice(2, -1);
  for (const { samples, rmsDbfs, peakDbfs } of whole) {
    assert.equal(samples.length, 1_600);
    assert.ok(Math.abs(rmsDbfs - 20 * Math.log10(0.5 / Math.SQRT2)) < 1.5, String(rmsDbfs));
    assert.ok(Math.abs(peakDbfs - 20 * Math.log10(0.5)) < 1.5, String(peakDbfs));
  }
  const all = whole.flatMap(({ samples }) => samples);
  const crossings = all.filter((sample, n) => n > 0 && all[n - 1] < 0 && sample >= 0).length;
  const heardHz = crossings / (all.length / 16_000);
  assert.ok(Math.abs(heardHz - TONE_HZ) < 20, `${heardHz} Hz`);
  t.diagnostic(`${chunks.length} chunks; ${heardHz.toFixed(0)} Hz of ${TONE_HZ}`);
});

test("what the loudspeakers play is taken out, and voices are not changed", SKIP, async (t) => {
  const page = await openPage(t, OPEN);
  await page.until("typeof begin === 'function'");
  await page.evaluate("begin({ echoCancellation: undefined })");
  const changes = { noiseSuppression: false, autoGainControl: false };
  assert.deepEqual(await page.evaluate("asked"), [
    { audio: { echoCancellation: true, ...changes } },
  ]);
});

test("a microphone that is named, and one that is not there", SKIP, async (t) => {
  const page = await openPage(t, OPEN);
  await page.until("typeof begin === 'function'");
  const { devices } = await page.evaluate("begin()");
  await page.evaluate("microphone.close()");
  const [{ deviceId }] = devices;
  await page.evaluate(`begin({ deviceId: ${JSON.stringify(deviceId)} })`);
  await page.until("chunks.length >= 2");
  const name = "begin({ deviceId: 'none' }).then(() => 'open', ({ name }) => name)";
  assert.equal(await page.evaluate(name), "OverconstrainedError");
});

test("with a strict policy the worklet comes from a file of the app's", SKIP, async (t) => {
  const page = await openPage(t, OPEN, { policy: "default-src 'self'" });
  await page.until("typeof begin === 'function'");
  const refused = "begin().then(() => 'open', ({ name }) => name)";
  assert.equal(await page.evaluate(refused), "AbortError");
  await page.evaluate("begin({ workletUrl: 'worklet.js' })");
  await page.until("chunks.length >= 2");
});

test("with blob: in the policy it needs no file", SKIP, async (t) => {
  const page = await openPage(t, OPEN, { policy: "default-src 'self'; script-src 'self' blob:" });
  await page.until("typeof begin === 'function'");
  await page.evaluate("begin()");
  await page.until("chunks.length >= 2");
});

// A stream that fails while the microphone is being opened, as when a person is asked for it.
const FAILING = `
import { listen } from "./renderer.js";

const tracks = [];
const getUserMedia = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
let tell;
navigator.mediaDevices.getUserMedia = async (constraints) => {
  const stream = await getUserMedia(constraints);
  tracks.push(...stream.getTracks());
  const error = { name: "ModelUnavailable", kind: "offline", message: "gone" };
  tell({ event: "error", value: { ...error, retryable: false, details: {} } });
  return stream;
};
window.speakerSidecar = {
  openLive: (_, onNews) => {
    tell = onNews;
    return { task: "1", answer: Promise.resolve({ value: undefined }) };
  },
  push: () => (window.pushed = true),
  cancel: async () => ({ value: undefined }),
};
window.begin = () => listen().then(() => "listens", ({ message }) => message);
window.states = () => tracks.map(({ readyState }) => readyState);`;

test(
  "a stream that fails while the microphone is opened leaves no microphone open",
  SKIP,
  async (t) => {
    const page = await openPage(t, FAILING);
    await page.until("typeof begin === 'function'");
    assert.equal(await page.evaluate("begin()"), "gone");
    assert.deepEqual(await page.evaluate("states()"), ["ended"]);
    assert.equal(await page.evaluate("window.pushed"), undefined);
  },
);

const LISTEN = `
import { listen } from "./renderer.js";

const getUserMedia = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
let track;
navigator.mediaDevices.getUserMedia = async (constraints) => {
  const stream = await getUserMedia(constraints);
  [track] = stream.getTracks();
  return stream;
};
window.told = { samples: [], speaking: [], heard: [], errors: [] };
window.begin = async () => {
  window.listening = await listen({
    echoCancellation: false,
    onSamples: (samples) => told.samples.push(samples),
    onSpeaking: (speaking) => told.speaking.push(speaking.map(({ sure }) => sure)),
    onHeard: (heardS) => told.heard.push(heardS),
    onError: ({ name, message }) => told.errors.push([name, message]),
  });
};
// As the browser tells it of a microphone that is unplugged.
window.unplug = () => {
  track.stop();
  track.dispatchEvent(new Event("ended"));
};
window.finish = async () => {
  const { durationS, turns } = await listening.close();
  return { durationS, turns, nSamples: told.samples.reduce((sum, { length }) => sum + length, 0) };
};`;

/** A page that listens, with the light sidecar behind it: two seconds of a tone, and two of nothing. */
async function listeningPage(t) {
  const sidecar = await start(t);
  await ready(sidecar);
  const samples = new Float32Array(4 * 48_000);
  samples.set(tone(2), 48_000);
  const page = await openPage(t, LISTEN, { samples, sidecar });
  await page.until("typeof begin === 'function'");
  await page.evaluate("begin()");
  return page;
}

const WITH_SIDECAR = { skip: SKIP.skip || LIGHT_SKIP };

test(
  "who speaks, up to where it was heard, and what the microphone gave",
  WITH_SIDECAR,
  async (t) => {
    const page = await listeningPage(t);
    await page.until("told.speaking.some(([sure]) => sure)");
    await page.until("told.speaking.at(-1).length === 0");
    const { durationS, turns, nSamples } = await page.evaluate("finish()");
    const { speaking, heard, errors } = await page.evaluate("told");
    assert.deepEqual(errors, []);
    assert.equal(durationS, nSamples / 16_000, "it is what was heard, to the sample");
    assert.ok(turns.length > 0);
    assert.deepEqual(speaking[0], [false], "it is a guess at first");
    assert.ok(
      heard.length >= 8 && heard.every((one, n) => n === 0 || one > heard[n - 1]),
      `${heard}`,
    );
  },
);

test("of a microphone that is gone, the close gives what was heard", WITH_SIDECAR, async (t) => {
  const page = await listeningPage(t);
  await page.until("told.speaking.some(([sure]) => sure)");
  await page.evaluate("unplug()");
  await page.until("told.errors.length === 1");
  const { durationS, turns, nSamples } = await page.evaluate("finish()");
  const { errors } = await page.evaluate("told");
  assert.deepEqual(errors, [["NotReadableError", "the microphone was unplugged or taken away"]]);
  assert.equal(durationS, nSamples / 16_000);
  assert.ok(turns.length > 0);
});
