// A sidecar with one live stream, and a child that hears it as the test says.

import { appSidecar, settle } from "./fakes.mjs";

export const RATE_HZ = 8_000;

/** So many seconds of floats. */
export const seconds = (durationS, level = 0.5) =>
  new Float32Array(Math.round(durationS * RATE_HZ)).fill(level);

/** The four floats of an embedding, as the wire has them. */
export const voice = (...numbers) => Buffer.from(Float32Array.from(numbers).buffer);

/** A sidecar and its stream, and what that has told. */
export async function liveWorld(options = {}, contract = {}) {
  const world = await appSidecar(contract);
  const live = world.it.live({ sampleRateHz: RATE_HZ, ...options });
  const told = { turn: [], level: [], lag: [], restarted: [], error: [] };
  for (const event of Object.keys(told)) live.on(event, (value) => told[event].push(value));
  return { ...world, live, told };
}

/** What a child was asked of streams: `[method, params]` of each. */
export function asked(child) {
  return child.received
    .filter(({ method }) => method?.startsWith("stream_"))
    .map(({ method, params }) => [method, params]);
}

const answered = new WeakMap();

/** Let `child` open what it is asked to open, and take all that is pushed. */
export async function hear(child, bufferedS = 0) {
  const known = answered.get(child) ?? { ids: new Set(), nBytes: 0 };
  answered.set(child, known);
  for (;;) {
    await settle();
    const next = child.received.find(
      ({ id, method }) => /^stream_(open|push)$/.test(method) && !known.ids.has(id),
    );
    if (next === undefined) return known.nBytes / 4 / RATE_HZ;
    known.ids.add(next.id);
    known.nBytes += next.params.pcm?.length ?? 0;
    const received = known.nBytes / 4 / RATE_HZ;
    const result =
      next.method === "stream_open"
        ? { stream: "s1" }
        : { received_s: received, buffered_s: Math.min(bufferedS, received) };
    child.answer(next.id, result);
  }
}

/** Tell a turn: `[start, end or null]`, and what else there is. */
export function tellTurn(child, turn, [startS, endS], said = {}) {
  child.tell("stream_turn", {
    ...{ stream: "s1", turn, start_s: startS, end_s: endS, final: false },
    ...said,
  });
}

/** A final turn of `speaker`, whose voice is `embedding`. */
export function tellFinal(child, turn, times, speaker, embedding = voice(1, 0, 0, 0)) {
  const speech_s = times[1] - times[0];
  tellTurn(child, turn, times, { final: true, speaker, embedding, speech_s });
}

/** What a turn says, in short. */
export const short = ({ turn, startS, endS, speaker, final }) => [
  ...[turn, startS, endS, speaker],
  ...(final ? ["final"] : []),
];
