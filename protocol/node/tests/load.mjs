// Many calls at once, and whether each got what it should.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { cosine, tone, utterances } from "./sidecars.mjs";

/** Numbers from 0 to 1 that a seed determines (mulberry32's constants). */
export function randomNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Run `task(0)` to `task(n - 1)`, so many at once; their results, in order. */
export async function inParallel(n, nAtOnce, task) {
  const results = new Array(n);
  let next = 0;
  const worker = async () => {
    while (next < n) {
      const index = next++;
      results[index] = await task(index);
    }
  };
  await Promise.all(Array.from({ length: nAtOnce }, worker));
  return results;
}

/** Clips of 2 s: of real speech where there is some, else tones. */
export function clips(n = 100) {
  const paths = utterances();
  if (paths.length === 0)
    return Array.from({ length: n }, (_, k) => tone(30_000 + 50 * k, 0.1 + k / 500));
  // As bytes: a clip travels through the pipe, as an app's audio does.
  const files = paths.map((path) => readFileSync(path));
  return Array.from({ length: n }, (_, k) => {
    const startS = 0.1 * Math.floor(k / files.length);
    return { file: files[k % files.length], startS, endS: startS + 2 };
  });
}

/** What `clips` should give, from a child that is left alone. */
export function references(sidecar, audios) {
  return inParallel(
    audios.length,
    16,
    async (index) => (await sidecar.embed(audios[index])).embedding,
  );
}

/** Embed `nCalls` clips, 32 at once; every one must come out as its reference. */
export async function embedAll(sidecar, audios, expected, nCalls, onAnswer = () => undefined) {
  let nAnswers = 0;
  const results = await inParallel(nCalls, 32, async (index) => {
    const { embedding } = await sidecar.embed(audios[index % audios.length]);
    onAnswer(++nAnswers);
    return embedding;
  });
  assert.equal(nAnswers, nCalls);
  results.forEach((embedding, index) => {
    const similarity = cosine(embedding, expected[index % audios.length]);
    assert.ok(similarity > 0.99999, `call ${index}: ${similarity}`);
  });
}

/** Whether the process `pid` runs; one that is dead but not yet collected does not. */
export function isRunning(pid) {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  if (process.platform !== "linux") return true;
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** Those of `pids` that still run after so many milliseconds; as soon as none does, none. */
export async function survivors(pids, withinMs = 2_000) {
  const endsAt = performance.now() + withinMs;
  while ([...pids].some(isRunning) && performance.now() < endsAt) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return [...pids].filter(isRunning);
}
