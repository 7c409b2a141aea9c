// From a page to the sidecar and back: preload script and main process, with Electron faked between.

import assert from "node:assert/strict";
import { File } from "node:buffer";
import { webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { runInNewContext } from "node:vm";

import { allowMicrophone, serveSpeaker } from "speaker-sidecar/main";
import { exposeSpeaker } from "speaker-sidecar/preload";

import { FakeIpcMain, FakePage } from "./fake_electron.mjs";
import { appSidecar, settle } from "./fakes.mjs";
import { asked, hear, seconds, tellFinal, tellTurn } from "./live_child.mjs";

// As Electron has it; in Node 18 it is no global.
globalThis.crypto ??= webcrypto;

const RATE = { sampleRateHz: 8_000 };

/** A page, its bridge, and the sidecar behind it. */
async function bridged({ origins, url, paths } = {}) {
  const world = await appSidecar();
  const ipcMain = new FakeIpcMain();
  serveSpeaker({ ipcMain, sidecar: world.it, ...(origins && { origins }) });
  const page = new FakePage(ipcMain, url);
  exposeSpeaker(page.electron(paths));
  return { ...world, ipcMain, page, bridge: page.exposed.speakerSidecar };
}

/** An open stream of the page, and what was told of it. */
async function opened(world, options = RATE) {
  const news = [];
  const { task: live, answer } = world.bridge.openLive(options, (told) => news.push(told));
  await settle();
  await hear(world.newest());
  assert.deepEqual(await answer, { value: undefined });
  return { live, news };
}

test("samples go to the child, news to the page, and the close gives the whole", async () => {
  const world = await bridged();
  const { live, news } = await opened(world, { ...RATE, identify: true });
  const samples = seconds(0.1, 0.25);
  world.bridge.push(live, samples);
  await hear(world.newest());
  const [[, open], [, { pcm }]] = asked(world.newest());
  assert.equal(open.identify, true);
  assert.deepEqual(pcm, Buffer.from(samples.buffer));
  assert.equal(samples.length, 800, "the page's own samples are still there");
  tellTurn(world.newest(), 0, [0.5, null]);
  tellFinal(world.newest(), 0, [0.5, 2], "S1");
  await settle();
  assert.deepEqual(
    news.map(({ event, value }) => [event, value.turn, value.endS, value.speaker]),
    [
      ["turn", 0, null, null],
      ["turn", 0, 2, "S1"],
    ],
  );
  assert.deepEqual(news[1].value.embedding, Float32Array.of(1, 0, 0, 0));
  const closing = world.bridge.closeLive(live, { maxSpeakers: 2 });
  await hear(world.newest());
  // What comes too late is dropped, and spoils nothing.
  world.bridge.push(live, samples);
  assert.equal(asked(world.newest()).at(-1)[1].max_speakers, 2);
  world.newest().answerWith("child_stream_closed");
  const { value } = await closing;
  assert.equal(value.turns.length, 1);
  assert.match((await world.bridge.closeLive(live, {})).error.message, /has ended/);
});

test("an error comes with its kind, and ends the stream", async () => {
  const world = await bridged();
  const { live, news } = await opened(world);
  world.bridge.push(live, Float32Array.of(NaN));
  await settle();
  const child = world.newest();
  child.fail(child.ids("stream_push")[0], -32010, "non_finite", { time_s: 1 });
  await settle();
  const [{ event, value }] = news;
  assert.deepEqual([event, value.name, value.kind], ["error", "BadAudio", "non_finite"]);
  assert.deepEqual(value.details, { timeS: 1 });
});

test("what is no samples, or too much, ends the stream and says so", async () => {
  const world = await bridged();
  const { live, news } = await opened(world);
  world.bridge.push(live, [0, 1]);
  await settle();
  assert.deepEqual(
    news.map(({ event, value }) => [event, value.kind]),
    [["error", "invalid_params"]],
  );
  assert.equal(asked(world.newest()).at(-1)[0], "stream_close");
  // Of a stream that has ended nothing more is heard.
  world.bridge.push(live, seconds(1));
  await settle();
  assert.equal(asked(world.newest()).length, 2);
});

for (const event of ["destroyed", "did-navigate", "render-process-gone"]) {
  test(`a page's streams end with it: ${event}`, async () => {
    const world = await bridged();
    const { news } = await opened(world);
    if (event === "destroyed") world.page.destroy();
    else world.page.emit(event);
    await settle();
    assert.equal(asked(world.newest()).at(-1)[0], "stream_close");
    tellTurn(world.newest(), 0, [0, null]);
    await settle();
    assert.deepEqual(news, []);
  });
}

test("a stop ends it without a result, and nothing more is told", async () => {
  const world = await bridged();
  const { live, news } = await opened(world);
  assert.deepEqual(await world.bridge.cancel(live), { value: undefined });
  assert.deepEqual(asked(world.newest()).at(-1)[1].deadline_ms, 0);
  await settle();
  assert.deepEqual(news, []);
});

test("only the app's own pages are answered, and no frame in them", async () => {
  const answer = async (url, origins, frame = {}) => {
    const world = await bridged({ url, origins });
    Object.assign(world.page.frame, frame);
    if (frame === null) world.page.frame = null;
    const list = world.bridge.list();
    await settle();
    const [id] = world.newest().ids("people");
    if (id !== undefined) world.newest().answerWith("child_people_result");
    return (await list).error?.kind ?? "answered";
  };
  assert.equal(await answer("file:///app/index.html"), "answered");
  assert.equal(await answer("https://evil.example/"), "refused");
  assert.equal(await answer("file:///app/index.html", ["app://main"]), "refused");
  assert.equal(await answer("app://main/index.html", ["app://main"]), "answered");
  assert.equal(await answer("app://other/index.html", ["app://main"]), "refused");
  assert.equal(await answer("http://localhost:5173/", ["http://localhost:5173"]), "answered");
  assert.equal(await answer("http://localhost:5173.evil/", ["http://localhost:5173"]), "refused");
  assert.equal(await answer("no url at all"), "refused");
  assert.equal(await answer("file:///app/index.html", undefined, { parent: {} }), "refused");
  assert.equal(await answer("file:///app/index.html", undefined, null), "refused");
});

test("samples of a page that is not the app's go nowhere", async () => {
  const world = await bridged();
  const { live } = await opened(world);
  world.page.frame = { url: "https://evil.example/", parent: null };
  world.bridge.push(live, seconds(1));
  await settle();
  assert.equal(asked(world.newest()).length, 1);
});

test("a file is sent as its path where it has one, and a page can name none", async () => {
  const onDisk = new File(["x"], "a.wav");
  const inMemory = new File(["RIFF"], "b.wav");
  const paths = new Map([[onDisk, "/home/ada/a.wav"]]);
  const { bridge, newest } = await bridged({ paths });
  const sent = async (audio) => {
    void bridge.diarize(audio, { maxSpeakers: 3 }, () => undefined).answer.catch(() => undefined);
    await settle();
    await new Promise(setImmediate);
    const { method, params } = newest().received.at(-1);
    assert.deepEqual([method, params.max_speakers], ["diarize", 3]);
    return params.audio;
  };
  assert.match((await sent(onDisk)).path, /ada.a\.wav$/);
  assert.deepEqual(await sent(inMemory), { file: Buffer.from("RIFF") });
  const pcm = Buffer.from(Float32Array.of(0.5).buffer);
  assert.deepEqual(await sent({ samples: Float32Array.of(0.5), ...RATE, path: "/etc/passwd" }), {
    ...{ pcm, encoding: "f32le", sample_rate_hz: 8_000, channels: 1 },
  });
  await assert.rejects(bridge.diarize({ path: "/etc/passwd" }, {}, () => undefined).answer);
});

/** A recording that is being heard, with what the page was told of it. */
async function diarizing(world) {
  const told = [];
  const audio = { samples: seconds(1), ...RATE };
  const { task, answer } = world.bridge.diarize(audio, { identify: true }, (one) => told.push(one));
  await settle();
  const [id] = world.newest().ids("diarize");
  return { task, answer, told, id };
}

test("a recording's progress is told, and its result", async () => {
  const world = await bridged();
  const { answer, told, id } = await diarizing(world);
  world.newest().requestProgress(id, 5, 60, "seconds");
  await settle();
  assert.deepEqual(told, [{ event: "progress", value: { done: 5, total: 60, unit: "seconds" } }]);
  world.newest().answerWith("child_diarize_result");
  assert.ok((await answer).value.turns.length > 0);
});

for (const how of ["cancel", "did-navigate"]) {
  test(`a recording that is wanted no more is heard no more: ${how}`, async () => {
    const world = await bridged();
    const { task, answer, id } = await diarizing(world);
    if (how === "cancel") await world.bridge.cancel(task);
    else world.page.emit(how);
    assert.equal((await answer).error.kind, "cancelled");
    const { method, params } = world.newest().received.at(-1);
    assert.deepEqual([method, params.id], ["cancel", id]);
  });
}

test("a page has no more than 16 tasks, and none twice", async () => {
  const world = await bridged();
  const streams = Array.from({ length: 16 }, () => world.bridge.openLive(RATE, () => undefined));
  for (const { answer } of streams) assert.deepEqual(await answer, { value: undefined });
  const further = () => world.bridge.openLive(RATE, () => undefined).answer;
  assert.equal((await further()).error.kind, "invalid_params");
  await world.bridge.cancel(streams[3].task);
  assert.deepEqual(await further(), { value: undefined });
  const event = { sender: world.page, senderFrame: world.page.frame };
  const call = world.ipcMain.handlers["speaker-sidecar:call"];
  const { error } = await call(event, "live.open", streams[0].task, RATE);
  assert.match(error.message, /each with its own name/);
});

test("how much of an audio is speech", async () => {
  const { bridge, newest } = await bridged();
  const answer = bridge.speech({ samples: seconds(1), ...RATE });
  await settle();
  newest().answerWith("child_speech_result");
  assert.equal(typeof (await answer).value.speechS, "number");
});

test("people: all of their calls", async () => {
  const { bridge, newest } = await bridged();
  const embedding = { embedding: Float32Array.of(1, 0), fingerprint: "f", speechS: 4 };
  const calls = [
    [() => bridge.list(), "people", "child_people_result"],
    [() => bridge.get("p-1"), "person", "child_person_result"],
    [
      () => bridge.enroll({ name: "Ada", embeddings: [embedding] }),
      "enroll",
      "child_enroll_result",
    ],
    [() => bridge.rename("p-1", "Zoë"), "rename_person", null],
    [() => bridge.forget("p-1"), "forget_person", null],
    [() => bridge.identify({ samples: seconds(1), ...RATE }), "identify", "child_identify_result"],
  ];
  for (const [call, method, vector] of calls) {
    const answer = call();
    await settle();
    assert.equal(newest().received.at(-1).method, method);
    if (vector === null) newest().answer(newest().received.at(-1).id, {});
    else newest().answerWith(vector);
    assert.ok((await answer).value, method);
  }
  const refused = bridge.get("nobody");
  await settle();
  newest().fail(newest().received.at(-1).id, -32013, "unknown_person");
  assert.equal((await refused).error.kind, "unknown_person");
});

test("what is no call is refused", async () => {
  const { ipcMain, page } = await bridged();
  const event = { sender: page, senderFrame: page.frame };
  for (const name of ["close", "constructor", "__proto__", undefined, {}]) {
    const { error } = await ipcMain.handlers["speaker-sidecar:call"](event, name);
    assert.match(error.message, /there is no call/);
  }
});

test("the preload script needs nothing but electron, and exposes the same", async () => {
  const path = new URL("../dist/preload_script.js", import.meta.url);
  const page = new FakePage(new FakeIpcMain());
  const require = (name) => {
    assert.equal(name, "electron");
    return page.electron();
  };
  runInNewContext(readFileSync(path, "utf8"), { require, exports: {}, crypto });
  const { bridge } = await bridged();
  assert.deepEqual(Object.keys(page.exposed.speakerSidecar), Object.keys(bridge));
});

test("the app's pages may use the microphone, and nothing else", () => {
  const session = {
    setPermissionRequestHandler: (handler) => (session.request = handler),
    setPermissionCheckHandler: (handler) => (session.check = handler),
  };
  allowMicrophone(session);
  const isAllowed = (permission, mediaTypes, requestingUrl = "file:///app/index.html") => {
    let decision;
    const details = { mediaTypes, requestingUrl };
    session.request({}, permission, (allowed) => (decision = allowed), details);
    return decision;
  };
  assert.equal(isAllowed("media", ["audio"]), true);
  assert.equal(isAllowed("media", ["audio", "video"]), false);
  assert.equal(isAllowed("media", []), false);
  assert.equal(isAllowed("geolocation", undefined), false);
  assert.equal(isAllowed("media", ["audio"], "https://evil.example/"), false);
  assert.equal(session.check({}, "media", "file:///", { mediaType: "audio" }), true);
  assert.equal(session.check({}, "media", "file:///", { mediaType: "video" }), false);
  assert.equal(session.check(null, "media", "https://evil.example", { mediaType: "audio" }), false);
});
