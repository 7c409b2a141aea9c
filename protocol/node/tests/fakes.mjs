// A clock that moves when told to, and a child that does what the test says.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import framing from "../dist/framing.js";
import messages from "../dist/messages.js";
import payloads from "../dist/payload.js";
import sidecars from "../dist/sidecar.js";
import supervisor from "../dist/supervisor.js";

export class FakeClock {
  nowMs = 0;
  jitter = 0;
  #timers = [];

  setTimer(callback, delayMs) {
    const timer = { callback, atMs: this.nowMs + delayMs };
    this.#timers.push(timer);
    return { cancel: () => (this.#timers = this.#timers.filter((other) => other !== timer)) };
  }

  /** How many things keep the process alive. */
  nHolds = 0;

  keepAlive() {
    this.nHolds += 1;
    return { cancel: () => (this.nHolds -= 1) };
  }

  random() {
    return this.jitter;
  }

  /** Timers that have neither fired nor been cancelled. */
  get nTimers() {
    return this.#timers.length;
  }

  /** Let `durationMs` pass. */
  async pass(durationMs) {
    const endMs = this.nowMs + durationMs;
    for (;;) {
      const [next] = this.#timers
        .filter(({ atMs }) => atMs <= endMs)
        .sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      this.nowMs = next.atMs;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      next.callback();
      await settle();
    }
    this.nowMs = endMs;
    await settle();
  }
}

/** The result that a golden vector holds. */
export function resultOf(name) {
  const stream = readFileSync(new URL(`../../vectors/${name}.bin`, import.meta.url));
  const [payload] = new framing.FrameDecoder().feed(stream);
  return messages.decodeFromChild(payload).result;
}

/** Let everything that was promised happen. */
export async function settle() {
  for (let n = 0; n < 10; n++) await Promise.resolve();
}

export const LIMITS = {
  max_frame_bytes: 2 ** 20,
  max_in_flight: 8,
  max_batch_items: 8,
  max_queued_bytes: 2 ** 20,
  max_windows: 8,
  max_segments: 8,
};

/** What a child of contract 1.3 can do. */
export const CAPABILITIES = [
  ...["audio.pcm", "speech", "quality", "diarize", "people", "llr"],
  "streams",
];

/** What a supervisor starts in place of a process; `received` is what was written to it. */
export class FakeChild {
  isWritable = true;
  bufferedBytes = 0;
  received = [];
  killed = null;
  hasEnded = false;
  inputEnded = false;

  constructor(command, clock, listener, pid, contract) {
    Object.assign(this, { args: command.args, clock, listener, pid, contract });
  }

  write(frame) {
    const [payload] = new framing.FrameDecoder().feed(frame);
    this.received.push(payloads.unpack(payload));
  }

  end() {
    this.inputEnded = true;
  }

  unref() {}

  kill(fault) {
    if (this.killed !== null || this.hasEnded) return;
    this.killed = fault;
    this.die({ signal: "SIGKILL", fault });
  }

  // What the test lets it do

  hello(protocol = 1) {
    this.tell("hello", {
      protocol,
      protocol_minor: 3,
      name: "fake",
      version: "9",
      instance: `instance ${this.pid}`,
      capabilities: CAPABILITIES,
      limits: LIMITS,
      ...this.contract,
    });
  }

  health(state, reason = state, error = undefined, model = null) {
    this.tell("health", { state, reason, model, ...(error && { error }) });
  }

  progress(phase, done, total) {
    this.tell("progress", { phase, done, total, unit: "steps" });
  }

  requestProgress(id, done, total = 8, unit = "audios") {
    this.tell("progress", { id, done, total, unit });
  }

  /** Say hello, and that it serves, with a model of this fingerprint. */
  serve(fingerprint = "f.1") {
    this.hello();
    this.health("ready", "ready", undefined, { fingerprint });
  }

  answer(id, result = { answered: id }) {
    this.listener.onMessage({ type: "result", id, result });
  }

  fail(id, code, kind = "kind", data = {}) {
    const error = { code, message: `a failure of kind ${kind}`, data: { kind, ...data } };
    this.listener.onMessage({ type: "failure", id, error });
  }

  die({ code = null, signal = null, fault = null, spawnError = null } = {}) {
    this.hasEnded = true;
    this.listener.onEnd({
      pid: this.pid,
      code,
      signal,
      fault,
      spawnError,
      lastLines: ["a last line"],
    });
  }

  /** Answer the last request with the result of the golden vector `name`, as it stands. */
  answerWith(name) {
    this.answer(this.received.at(-1).id, resultOf(name));
  }

  /** The ids of the requests for `method` that it was sent. */
  ids(method = "embed") {
    return this.received.filter((message) => message.method === method).map(({ id }) => id);
  }

  /** Tell something unasked. */
  tell(method, params) {
    this.listener.onMessage({ type: "notice", method, params });
  }
}

/**
 * A supervisor with a fake clock, its children in order, and what it told. Starting a child throws
 * what `refusals` holds, one after the other.
 */
export function supervise(options = {}) {
  const world = fakeWorld(options);
  const { clock, children } = world;
  const told = { exits: [], restarts: [], logs: [], states: [], progress: [], own: [] };
  const it = new supervisor.Supervisor(world.options, {
    onState: (state) => told.own.push(state),
    onHealth: ({ state }) => told.states.push(state),
    onProgress: (progress) => told.progress.push(progress),
    onExit: (exit) => told.exits.push(exit),
    onRestart: (restart) => told.restarts.push(restart),
    onLog: (line) => told.logs.push(line),
  });
  const started = it.start();
  started.catch(() => undefined);
  /** Ask for an embedding; `outcome` becomes its result, or its error's name. */
  const embed = (nAudios = 1) => {
    const request = it.submit("embed", { n: nAudios }, { nAudios });
    const call = { request, id: request.id, outcome: "pending", nSettled: 0 };
    const done = (outcome) => {
      call.outcome = outcome;
      call.nSettled += 1;
    };
    request.answer.then(
      ({ answered }) => done(answered),
      (error) => {
        done(error.name);
        call.error = error;
      },
    );
    return call;
  };
  return { it, clock, children, told, embed, started, newest: () => children.at(-1) };
}

/**
 * A sidecar as an app has it, whose first child is a fake, and serves. `contract` is what its hello
 * says in other words.
 */
export async function appSidecar(contract = {}) {
  const { options, clock, children } = fakeWorld({ contract });
  const it = new sidecars.SpeakerSidecar(options);
  const started = it.supervisor.start();
  children[0].serve();
  await started;
  return { it, clock, children, newest: () => children.at(-1) };
}

/** What a supervisor takes; its clock, and the children that it will have. */
function fakeWorld({ refusals = [], contract = {}, ...others } = {}) {
  const clock = new FakeClock();
  const children = [];
  const options = {
    command: "fake",
    args: ["--gpu"],
    restartDelaysMs: [0, 1_000, 5_000, 15_000],
    healthIntervalMs: 5_000,
    healthTimeoutMs: 10_000,
    helloTimeoutMs: 60_000,
    loadTimeoutMs: 300_000,
    maxPending: 100,
    maxPendingBytes: 2 ** 20,
    ...others,
    clock,
    startChild: (command, _, listener) => {
      if (refusals.length > 0) throw refusals.shift();
      const child = new FakeChild(command, clock, listener, 100 + children.length, contract);
      children.push(child);
      return child;
    },
  };
  return { options, clock, children };
}

/** A supervisor whose first child serves. */
export function serving(options) {
  const world = supervise(options);
  world.newest().serve();
  return world;
}

/** Wait out the pause before the next child, and let it serve. */
export async function nextChild({ clock, children, newest }, fingerprint = undefined) {
  const before = children.length;
  await clock.pass(20_000);
  assert.equal(children.length, before + 1, "no child was started");
  newest().serve(fingerprint);
  return newest();
}

/** What became of the calls. */
export const outcomes = (calls) => calls.map(({ outcome }) => outcome);
/** The ids of their requests. */
export const ids = (calls) => calls.map(({ id }) => id);
