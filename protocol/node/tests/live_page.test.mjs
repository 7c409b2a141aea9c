// From the microphone of a page in a real Chromium to names, with the real sidecar behind it.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { CHROMIUM, Page } from "../../../packaging/electron-example/tests/chromium.mjs";
import { bySpeaker, RATE_HZ, samplesOf } from "./live_audio.mjs";
import { servePage } from "./loopback_page.mjs";
import { ready, REAL, SPEECH_SKIP, start } from "./sidecars.mjs";
import { wavBytes } from "./wav.mjs";

const NO_CHROMIUM = CHROMIUM ? undefined : "there is no Chromium: install one, or name it";
const PAUSE_S = 1.5;
const MOST_S = 7;

const PAGE = `
import { listen } from "./renderer.js";

window.told = [];
window.levels = [];
window.begin = async () => {
  window.listening = await listen({
    identify: true,
    onTurn: (turn) => told.push({ ...turn, embedding: undefined, at: performance.now() }),
    onLevel: ({ rmsDbfs }) => levels.push({ rmsDbfs, at: performance.now() }),
    onError: ({ message }) => (window.failure = message),
  });
  return listening.label;
};
window.finish = async () => {
  const { turns, speakers } = await listening.close();
  return { turns, speakers: speakers.map(({ embedding, ...speaker }) => speaker) };
};`;

/** What each of `people` says in turns, and when. */
function conversation(people) {
  const spoken = [];
  const parts = [new Float32Array(PAUSE_S * RATE_HZ)];
  let atS = PAUSE_S;
  for (const [who, path] of people) {
    const samples = samplesOf(path).subarray(0, MOST_S * RATE_HZ);
    spoken.push({ who, startS: atS, endS: atS + samples.length / RATE_HZ });
    parts.push(samples, new Float32Array(PAUSE_S * RATE_HZ));
    atS += samples.length / RATE_HZ + PAUSE_S;
  }
  const samples = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (samples.set(part, at), at + part.length), 0);
  return { samples, spoken };
}

/** What of `values`, sorted, `share` is below. */
const quantile = (values, share) =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(share * values.length))];

test(
  "two people are named, a stranger is not, and silence is nobody",
  {
    skip: SPEECH_SKIP ?? NO_CHROMIUM ?? false,
  },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "sidecar-page-"));
    const sidecar = await start(t, REAL);
    t.after(() => rmSync(folder, { recursive: true, maxRetries: 5, retryDelay: 200 }));
    await ready(sidecar);
    const [a, b, stranger] = [...bySpeaker()];
    for (const [name, paths] of [a, b]) {
      let { id, progress } = await sidecar.people.enroll({ name, audio: paths[9] });
      for (let n = 8; progress < 1; n--) {
        ({ progress } = await sidecar.people.enroll({ id, audio: paths[n] }));
      }
    }
    const order = [a, b, stranger].flatMap(([, paths], who) =>
      [0, 1, 2].map((n) => [n, [["a", "b", "stranger"][who], paths[n]]]),
    );
    const { samples, spoken } = conversation(
      order.sort(([n], [m]) => n - m).map(([, person]) => person),
    );
    const file = join(folder, "heard.wav");
    writeFileSync(file, wavBytes(samples, RATE_HZ));
    const served = await servePage(PAGE, { sidecar });
    const page = await Page.open(served.url, [
      `--use-file-for-fake-audio-capture=${file}%noloop`,
      "--autoplay-policy=no-user-gesture-required",
    ]);
    t.after(async () => {
      await page.close();
      served.close();
    });
    await page.until("typeof begin === 'function'");
    await page.evaluate("begin()");
    const nChunks = Math.ceil((10 * samples.length) / RATE_HZ);
    await page.until(`levels.length >= ${nChunks} || window.failure`, 180_000);
    const result = await page.evaluate("finish()");
    const { told, levels, failure } = await page.evaluate(
      "({ told, levels, failure: window.failure })",
    );
    assert.equal(failure, undefined);
    // Where in what the page heard the file begins.
    const loud = ({ rmsDbfs }) => rmsDbfs !== null && rmsDbfs > -50;
    const offsetS = 0.1 * levels.findIndex(loud) - PAUSE_S;
    const capturedAt = (streamS) => levels[Math.min(Math.ceil(10 * streamS), levels.length) - 1].at;
    const names = { a: a[0], b: b[0] };
    const delays = [];
    let [rightS, wrongS, allS] = [0, 0, 0];
    const last = [...new Map(told.map((turn) => [turn.turn, turn])).values()];
    for (const { who, startS, endS } of spoken) {
      const of = (turn) =>
        Math.min(turn.endS ?? endS + offsetS, endS + offsetS) -
        Math.max(turn.startS, startS + offsetS);
      const theirs = last.filter((turn) => of(turn) > 0.3);
      for (const turn of theirs) {
        allS += of(turn);
        if (turn.person?.name === names[who]) rightS += of(turn);
        else if (turn.person !== undefined) wrongS += of(turn);
      }
      if (who === "stranger") {
        assert.deepEqual(
          theirs.flatMap(({ person }) => person?.name ?? []),
          [],
        );
        continue;
      }
      assert.ok(
        theirs.some(({ person }) => person?.name === names[who]),
        `${who} at ${startS} s`,
      );
      const named = told.find(
        (turn) =>
          turn.person?.name === names[who] &&
          turn.startS > startS + offsetS - 0.5 &&
          turn.startS < endS + offsetS,
      );
      const begun = theirs[0].startS;
      delays.push((named.at - capturedAt(begun + 2)) / 1_000);
    }
    const isSilent = ({ startS, endS }) =>
      !spoken.some((one) => one.startS + offsetS < endS && one.endS + offsetS > startS);
    assert.deepEqual(last.filter(({ startS, endS }) => endS - startS > 0.3).filter(isSilent), []);
    assert.equal(wrongS, 0);
    const hindsight = new Map(result.speakers.map(({ label, person }) => [label, person?.name]));
    assert.deepEqual([...hindsight.values()].filter(Boolean).sort(), [a[0], b[0]].sort());
    const [median, p95] = [quantile(delays, 0.5), quantile(delays, 0.95)];
    t.diagnostic(
      `the name, after the end of the first two seconds: ${median.toFixed(2)} s (median), ${p95.toFixed(2)} s (95th percentile) of ${delays.length}`,
    );
    t.diagnostic(
      `right for ${((100 * rightS) / allS).toFixed(0)} % of ${allS.toFixed(0)} s, wrong for ${((100 * wrongS) / allS).toFixed(0)} %`,
    );
    assert.ok(p95 < 2, String(delays));
  },
);
