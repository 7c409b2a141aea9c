// Prints how long this client takes beside the Python one: node tests/measure_clients.mjs
//
// From start() to the first embedding, and per call, one after the other: the same 2 s clips of real
// speech, one thread. Each round starts both anew, in turns. CALLS (200) in each of ROUNDS (5).

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { PYTHON, REAL, ROOT, SPEECH_SKIP, start, utterances } from "./sidecars.mjs";

const N_CALLS = Number(process.env.CALLS ?? 200);
const N_ROUNDS = Number(process.env.ROUNDS ?? 5);
const CLIP_S = 2;
const PYTHON_HALF = fileURLToPath(new URL("measure_python_client.py", import.meta.url));

async function measureNode(paths) {
  const files = paths.map((path) => readFileSync(path));
  const startedAt = performance.now();
  const sidecar = await start({ after: () => undefined }, REAL);
  const embed = (n) => sidecar.embed({ file: files[n % files.length], startS: 0, endS: CLIP_S });
  await embed(0);
  const firstMs = performance.now() - startedAt;
  const callsMs = [];
  for (let n = 0; n < N_CALLS; n++) {
    const calledAt = performance.now();
    await embed(n);
    callsMs.push(performance.now() - calledAt);
  }
  await sidecar.close();
  return { firstMs, callsMs };
}

function measurePython(paths) {
  const argv = [REAL.command, ...REAL.args];
  const input = JSON.stringify({ argv, paths, n_calls: N_CALLS, clip_s: CLIP_S });
  const { status, stdout, stderr } = spawnSync(PYTHON, [PYTHON_HALF], {
    input,
    cwd: ROOT,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

if (SPEECH_SKIP !== undefined) throw new Error(SPEECH_SKIP);
const paths = utterances().slice(0, 20);
const contenders = [
  { name: "Node", measure: measureNode, rounds: [] },
  { name: "Python", measure: measurePython, rounds: [] },
];
for (let round = 0; round < N_ROUNDS; round++) {
  for (const { measure, rounds } of contenders) rounds.push(await measure(paths));
  contenders.reverse();
}
for (const { name, rounds } of contenders) {
  const firstMs = median(rounds.map((round) => round.firstMs));
  const callMs = median(rounds.map(({ callsMs }) => median(callsMs)));
  console.log(
    `${name}: ${firstMs.toFixed(0)} ms to the first embedding, ${callMs.toFixed(2)} ms a call ` +
      `(medians of ${N_ROUNDS} rounds of ${N_CALLS} calls)`,
  );
}
