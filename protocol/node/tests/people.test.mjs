// The gallery of people: what is asked for, how the answers are read, and what a child's death means.
// No process.

import assert from "node:assert/strict";
import { resolve } from "node:path";
import { test } from "node:test";

import { ChildGone, KillsChild, MethodNotFound, ParseError, UnknownPerson } from "speaker-sidecar";

import { appSidecar, nextChild, settle } from "./fakes.mjs";

// As this system has it: Windows puts a drive before it.
const A_WAV = resolve("/a.wav");

const KEPT = { embedding: Float32Array.of(1, 0), fingerprint: "f", speechS: 4 };
const WIRE = { embedding: Buffer.from(KEPT.embedding.buffer), fingerprint: "f", speech_s: 4 };

/** A sidecar, and what its child was asked last, without the bytes of an audio. */
async function gallery() {
  const world = await appSidecar();
  const asked = () => {
    const { method, params } = world.newest().received.at(-1);
    return [method, params];
  };
  return { ...world, people: world.it.people, asked };
}

test("an enrolment by audio: what was sent, and what came of it", async () => {
  const { people, newest, asked } = await gallery();
  const call = people.enroll(
    { name: "Zoë", audio: { path: A_WAV, startS: 1 } },
    { speech: "all", deadlineMs: 60_000 },
  );
  assert.deepEqual(asked(), [
    "enroll",
    {
      name: "Zoë",
      audio: { path: A_WAV, start_s: 1 },
      speech: "all",
      deadline_ms: 60_000,
    },
  ]);
  newest().answerWith("child_enroll_result");
  const { id, name, created, used, progress, speechS, neededS, agreement, prints, ...more } =
    await call;
  assert.deepEqual([id, name, created, used, prints], ["p-2", "Zoë", true, true, 0]);
  assert.deepEqual([progress, speechS, neededS, agreement], [0.5, 1.5, 1.5, null]);
  assert.equal(more.quality.snrDb, 18.25);
  assert.deepEqual(more.warnings, [
    { kind: "sounds_like", message: "it sounds like Ada", id: "p-1", name: "Ada" },
  ]);
});

test("an enrolment of more, by embeddings: of how much speech each was made", async () => {
  const { people, newest, asked } = await gallery();
  const { speechS, ...bare } = KEPT;
  const result = { ...bare, quality: { speechS, flags: [] }, dim: 2, device: "cpu" };
  const call = people.enroll({ id: "p-1", embeddings: [KEPT, result] });
  assert.deepEqual(asked(), ["enroll", { id: "p-1", embeddings: [WIRE, WIRE] }]);
  newest().answerWith("child_enroll_more_result");
  assert.equal((await call).agreement, 0.875);
});

test("everybody, and one person", async () => {
  const { people, newest, asked } = await gallery();
  const list = people.list();
  assert.deepEqual(asked(), ["people", {}]);
  newest().answerWith("child_people_result");
  assert.deepEqual(
    (await list).map(({ id, name, prints, neededS, createdAt }) => [
      ...[id, name, prints, neededS],
      new Date(createdAt).getUTCHours(),
    ]),
    [
      ["p-1", "Ada", 1, 0, 9],
      ["p-2", "Zoë", 0, 1.5, 9],
    ],
  );
  const one = people.get("p-1");
  assert.deepEqual(asked(), ["person", { id: "p-1" }]);
  newest().answerWith("child_person_result");
  const { person, prints } = await one;
  assert.equal(person.name, "Ada");
  assert.deepEqual(
    prints.map(({ id, usable, adapted }) => [id, usable, adapted]),
    [
      ["r-1", true, false],
      ["r-2", false, true],
    ],
  );
});

test("a list of several pages is one list", async () => {
  const { people, newest, asked } = await gallery();
  const call = people.list();
  newest().answerWith("child_people_result_page");
  await settle();
  assert.deepEqual(asked(), ["people", { after: "p-1" }]);
  newest().answerWith("child_people_result");
  assert.deepEqual(
    (await call).map(({ id }) => id),
    ["p-1", "p-1", "p-2"],
  );
});

test("another name, and forgetting", async () => {
  const { people, newest, asked } = await gallery();
  const renamed = people.rename("p-1", "Ada Lovelace");
  assert.deepEqual(asked(), ["rename_person", { id: "p-1", name: "Ada Lovelace" }]);
  newest().answerWith("child_rename_result");
  assert.equal((await renamed).name, "Ada Lovelace");
  const forgotten = people.forget("p-1", { print: "r-2" });
  assert.deepEqual(asked(), ["forget_person", { id: "p-1", print: "r-2" }]);
  newest().answerWith("child_forget_result");
  assert.deepEqual(await forgotten, { id: "p-1", name: "Ada", prints: 1 });
  const nobody = people.forget("p-9");
  assert.deepEqual(asked(), ["forget_person", { id: "p-9" }]);
  newest().fail(newest().received.at(-1).id, -32013, "unknown_person");
  await assert.rejects(nobody, UnknownPerson);
});

test("verify", async () => {
  const { people, newest, asked } = await gallery();
  const call = people.verify("p-1", KEPT, { far: 0.001 });
  assert.deepEqual(asked(), ["verify", { id: "p-1", audio: WIRE, far: 0.001 }]);
  newest().answerWith("child_verify_result");
  const { name, same, llr, probability, threshold, at, speechS, quality } = await call;
  assert.deepEqual([name, same, llr, probability], ["Ada", true, 6.5, 0.9985]);
  assert.deepEqual([threshold, at, speechS, quality.flags], [1.25, "far 1 %", 3.5, []]);
  const unsure = people.verify("p-1", A_WAV);
  newest().answerWith("child_verify_result_without_calibration");
  assert.deepEqual([(await unsure).same, (await unsure).cosine], [null, 0.75]);
});

test("identify: somebody, and nobody", async () => {
  const { people, newest, asked } = await gallery();
  const known = people.identify(A_WAV, { top: 3, prior: 0.1, speech: "require", adapt: true });
  assert.deepEqual(asked(), [
    "identify",
    { audio: { path: A_WAV }, top: 3, prior: 0.1, speech: "require", adapt: true },
  ]);
  newest().answerWith("child_identify_result");
  const { decision, person, matches, adapted } = await known;
  assert.deepEqual([decision, person, adapted], ["known", { id: "p-1", name: "Ada" }, "r-2"]);
  assert.deepEqual(matches[1], {
    ...{ id: "p-2", name: "Zoë", cosine: 0.125, llr: -4, probability: 0.0005 },
  });
  const unknown = people.identify(KEPT);
  assert.deepEqual(asked(), ["identify", { audio: WIRE }]);
  newest().answerWith("child_identify_result_unknown");
  assert.deepEqual([(await unknown).decision, (await unknown).person], ["unknown", null]);
  assert.equal((await unknown).warnings[0].prints, 3);
});

test("an export of several pieces, and back", async () => {
  const { people, newest, asked } = await gallery();
  const exported = people.export({ ids: ["p-1", "p-2", "p-3"] });
  const ids = ["p-1", "p-2", "p-3"];
  assert.deepEqual(asked(), ["export_people", { ids }]);
  newest().answerWith("child_export_result");
  await settle();
  assert.deepEqual(asked(), ["export_people", { ids, after: "p-2" }]);
  newest().answerWith("child_export_result_last");
  const pieces = await exported;
  assert.deepEqual(pieces, [
    Uint8Array.from(Buffer.from("\0people\xff", "latin1")),
    Uint8Array.of(1),
  ]);
  assert.equal(pieces[0].buffer.byteLength, 8, "the frame that brought it can go");
  const imported = people.import(pieces, { replace: true });
  assert.deepEqual(asked(), ["import_people", { data: Buffer.from(pieces[0]), replace: true }]);
  newest().answerWith("child_import_result");
  await settle();
  assert.deepEqual(asked(), ["import_people", { data: Buffer.from(pieces[1]), replace: true }]);
  newest().answerWith("child_import_result");
  assert.deepEqual(await imported, { added: 4, replaced: 0, kept: 2 });
  const alone = people.import(pieces[0]);
  newest().answerWith("child_import_result");
  assert.deepEqual(await alone, { added: 2, replaced: 0, kept: 1 });
  const odd = people.export();
  newest().answer(newest().received.at(-1).id, { data: "text", people: 1 });
  await assert.rejects(odd, ParseError);
});

test("an export that another child would go on with is none", async () => {
  const world = await gallery();
  const call = world.people.export();
  world.newest().answerWith("child_export_result");
  await settle();
  world.newest().die();
  (await nextChild(world)).answerWith("child_export_result_last");
  await assert.rejects(
    call,
    (error) => error instanceof ChildGone && /halfway/.test(error.message),
  );
});

const CHANGES = {
  enroll: (people) => people.enroll({ name: "Ada", audio: A_WAV }),
  "enroll by embeddings": (people) => people.enroll({ name: "Ada", embeddings: [KEPT] }),
  rename: (people) => people.rename("p-1", "Ada"),
  forget: (people) => people.forget("p-1"),
  import: (people) => people.import(Uint8Array.of(1)),
  "identify that adapts": (people) => people.identify(A_WAV, { adapt: true }),
};
const READS = {
  list: (people) => people.list(),
  get: (people) => people.get("p-1"),
  verify: (people) => people.verify("p-1", KEPT),
  identify: (people) => people.identify(A_WAV, { adapt: false }),
  export: (people) => people.export(),
};

for (const [what, ask] of Object.entries(CHANGES)) {
  test(`${what}: after a child's death it is not sent again`, async () => {
    const world = await gallery();
    const call = ask(world.people);
    const other = world.it.embed("/b.wav");
    world.newest().die({ signal: "SIGKILL" });
    await assert.rejects(call, (error) => {
      assert.ok(error instanceof ChildGone);
      assert.deepEqual([error.kind, error.retryable], ["unanswered", false]);
      return /may have done \w+ or not.*SIGKILL/.test(error.message);
    });
    const second = await nextChild(world);
    assert.deepEqual(
      second.received.map(({ method }) => method),
      ["embed"],
    );
    second.answerWith("child_embed_result");
    await other;
    assert.equal(world.it.nPending, 0);
  });

  test(`${what}: what a child did not do, the next one is asked`, async () => {
    const world = await gallery();
    const call = ask(world.people);
    const [{ id, method }] = world.newest().received;
    world.newest().fail(id, -32020, "device_error");
    world.newest().die({ code: 70 });
    const second = await nextChild(world);
    assert.deepEqual(second.ids(method), [id]);
    // And then it may be done again.
    second.die();
    await assert.rejects(call, { kind: "unanswered" });
  });
}

for (const [what, ask] of Object.entries(READS)) {
  test(`${what}: after a child's death the next one is asked`, async () => {
    const world = await gallery();
    const call = ask(world.people);
    call.catch(() => undefined);
    const [{ id, method }] = world.newest().received;
    world.newest().die();
    assert.deepEqual((await nextChild(world)).ids(method), [id]);
  });
}

test("what waits for the child to load was not sent, and is not lost", async () => {
  const world = await gallery();
  world.newest().die();
  const call = world.people.rename("p-1", "Ada");
  await world.clock.pass(0);
  world.newest().hello();
  world.newest().health("loading");
  assert.deepEqual(world.newest().received, [], "it would not be answered before it serves");
  world.newest().die();
  const third = await nextChild(world);
  const [proof] = third.ids();
  third.answer(proof);
  third.answerWith("child_rename_result");
  assert.equal((await call).id, "p-1");
});

test("one that kills its child, though it said that it did nothing, is found out", async () => {
  const world = await gallery();
  const call = world.people.enroll({ name: "Ada", audio: A_WAV });
  call.catch(() => undefined);
  for (let n = 0; n < 4; n++) {
    const proof = world.newest().ids("embed").at(-1);
    if (proof !== undefined) world.newest().answer(proof);
    const [id] = world.newest().ids("enroll");
    world.newest().fail(id, -32020, "device_error");
    world.newest().die({ code: 70 });
    if (n < 3) await nextChild(world);
  }
  await assert.rejects(call, KillsChild);
});

test("a child's refusal that is an answer is one", async () => {
  const { people, newest } = await gallery();
  const call = people.enroll({ name: "Ada", audio: A_WAV });
  newest().fail(newest().received.at(-1).id, -32014, "gallery_locked", { retryable: true });
  await assert.rejects(call, {
    name: "GalleryUnavailable",
    kind: "gallery_locked",
    retryable: true,
  });
});

for (const [what, ask] of Object.entries({ ...CHANGES, ...READS })) {
  test(`${what}: a child without people is not asked`, async () => {
    const { it, newest } = await appSidecar({ capabilities: ["audio.pcm"], protocol_minor: 1 });
    await assert.rejects(ask(it.people), (error) => {
      assert.ok(error instanceof MethodNotFound);
      assert.equal(error.details.capability, "people");
      return /needs people, which fake 9 does not have/.test(error.message);
    });
    assert.deepEqual([it.nPending, newest().received], [0, []]);
  });
}
