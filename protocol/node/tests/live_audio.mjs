// Two people in turns, as samples.

import { spawnSync } from "node:child_process";

import { PYTHON, ROOT, utterances } from "./sidecars.mjs";

export const RATE_HZ = 16_000;

/** The samples of a recording, by Python's soundfile. */
export function samplesOf(path) {
  const code = `import sys, soundfile
sys.stdout.buffer.write(soundfile.read(sys.argv[1], dtype="float32")[0].tobytes())`;
  const { status, stdout, stderr } = spawnSync(PYTHON, ["-c", code, path], {
    cwd: ROOT,
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new Error(String(stderr));
  return new Float32Array(Uint8Array.from(stdout).buffer);
}

/** Utterances of each speaker, by the speaker's number. */
export function bySpeaker() {
  const found = new Map();
  for (const path of utterances()) {
    const speaker = path.split(/[\\/]/).at(-2);
    found.set(speaker, [...(found.get(speaker) ?? []), path]);
  }
  return found;
}

/** Wait until `holds`, and say what did not come to be. */
export async function until(holds, what) {
  for (const endMs = Date.now() + 60_000; !holds();) {
    if (Date.now() > endMs) throw new Error(`it never came to be: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Push `samples` in pieces of 100 ms, as fast as they are heard. */
export async function play(live, samples, rateHz = RATE_HZ) {
  for (let n = 0; n < samples.length; n += rateHz / 10) {
    live.push(samples.subarray(n, n + rateHz / 10));
    await until(() => live.bufferedS < 1, "it is heard");
  }
}
