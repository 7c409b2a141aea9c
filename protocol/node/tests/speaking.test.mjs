// Who speaks now, of a stream's turns, and whether that is sure.

import assert from "node:assert/strict";
import { test } from "node:test";

import { speaking } from "speaker-sidecar";

const ADA = { speaker: "S1", person: { id: "p-1", name: "Ada" } };
const BEN = { speaker: "S2", person: { id: "p-2", name: "Ben" } };
const STRANGER = { speaker: "S3" };
const SOMEBODY = { speaker: null };

/** Turns of `[start, end or null, whose]`. */
function turnsOf(...said) {
  return said.map(([startS, endS, whose], turn) => ({
    ...{ turn, startS, endS, final: endS !== null },
    ...whose,
  }));
}

/** Who speaks at `heardS`, by name or label; a guess has a question mark. */
function names(heardS, ...said) {
  return speaking(turnsOf(...said), heardS).map(
    ({ turn, sure }) => `${turn.person?.name ?? turn.speaker ?? "somebody"}${sure ? "" : "?"}`,
  );
}

test("a turn is a guess at first, and sure after a second", () => {
  assert.deepEqual(names(10), []);
  assert.deepEqual(names(10.25, [10, null, ADA]), ["Ada?"]);
  assert.deepEqual(names(10.9, [10, null, ADA]), ["Ada?"]);
  assert.deepEqual(names(11, [10, null, ADA]), ["Ada"]);
  assert.deepEqual(names(11, [10, null, STRANGER]), ["S3"]);
  // A turn may be noticed before the level that tells of it.
  assert.deepEqual(names(9.75, [10, null, ADA]), ["Ada?"]);
});

test("who speaks in pieces is sure by all of them", () => {
  const pieces = [
    [10, 10.6, BEN],
    [11.2, 11.7, BEN],
  ];
  assert.deepEqual(names(12.5, ...pieces, [12, null, BEN]), ["Ben?"]);
  // It may be somebody else's until the voice was heard.
  assert.deepEqual(names(12.75, ...pieces, [12, null, BEN]), ["Ben"]);
  assert.deepEqual(names(12.75, [12, null, BEN]), ["Ben?"], "the piece alone is a guess");
});

test("what is long ago, or before somebody else, counts no more", () => {
  assert.deepEqual(names(13, [10, 11, BEN], [12.2, null, BEN]), ["Ben?"]);
  assert.deepEqual(names(12.6, [10, 11, BEN], [11.1, 11.5, ADA], [11.8, null, BEN]), ["Ben?"]);
  // Of whom nothing is known does not come between.
  assert.deepEqual(names(12.6, [10, 11, BEN], [11.1, 11.3, SOMEBODY], [11.8, null, BEN]), ["Ben"]);
});

test("a pause of less than a second is none", () => {
  assert.deepEqual(names(11.9, [10, 11, BEN]), ["Ben"]);
  assert.deepEqual(names(12, [10, 11, BEN]), []);
  assert.deepEqual(names(10.9, [10, 10.5, BEN]), ["Ben?"]);
});

test("somebody who begins ends the pause of another, whoever it is", () => {
  assert.deepEqual(names(11.5, [10, 11, BEN], [11.2, null, SOMEBODY]), ["somebody?"]);
  assert.deepEqual(names(11.5, [10, 11, BEN], [11.2, null, ADA]), ["Ada?"]);
  assert.deepEqual(names(11.5, [10, 11, BEN], [10.9, null, BEN]), ["Ben?"]);
});

test("two at once are two, and two turns of one voice are one", () => {
  assert.deepEqual(names(12, [10, null, ADA], [11.5, null, BEN]), ["Ada", "Ben?"]);
  assert.deepEqual(names(12, [10, null, ADA], [11.5, null, ADA]), ["Ada"]);
  assert.deepEqual(names(12, [10, null, SOMEBODY], [11.5, null, SOMEBODY]), ["somebody?"]);
});

test("a turn that was nobody's is nothing", () => {
  assert.deepEqual(names(11.5, [11, 11, SOMEBODY]), []);
  assert.deepEqual(names(11.5, [10, 11, BEN], [11.2, 11.2, SOMEBODY]), ["Ben"]);
});

test("a turn that makes its person less likely is a guess", () => {
  const ada = (llr, speechS) => ({ ...ADA, llr, speechS });
  const before = [10, 12, ada(7.5, 2)];
  assert.deepEqual(names(15, before, [14, null, ada(7.9)]), ["Ada"]);
  assert.deepEqual(names(15, before, [14, null, ada(7.25)]), ["Ada"]);
  assert.deepEqual(names(15, before, [14, null, ada(7.1)]), ["Ada?"]);
  // Of whom little was heard, another turn may change much.
  assert.deepEqual(names(15, [11, 12, ada(7.5, 1)], [14, null, ada(6.5)]), ["Ada"]);
  // It counts what all of it was once the turn before was over.
  assert.deepEqual(names(19, before, [14, 16, ada(7.1, 4)], [18, null, ada(7)]), ["Ada"]);
  assert.deepEqual(names(15, [10, 12, BEN], [14, null, BEN]), ["Ben"], "nothing is told of it");
  assert.deepEqual(names(15, [10, 12, STRANGER], [14, null, STRANGER]), ["S3"]);
});

test("a person may be known before the label is", () => {
  const ada = { speaker: null, person: ADA.person };
  assert.deepEqual(names(11, [10, null, ada]), ["Ada"]);
});
