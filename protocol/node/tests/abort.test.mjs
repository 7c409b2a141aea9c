import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";

import abort from "../dist/abort.js";

test("one signal has one listener, however many calls share it", () => {
  const controller = new AbortController();
  const called = [];
  const forgets = Array.from({ length: 1_000 }, (_, n) =>
    abort.onAbort(controller.signal, () => called.push(n)),
  );
  assert.equal(getEventListeners(controller.signal, "abort").length, 1);
  forgets.slice(2).forEach((forget) => forget());
  abort.onAbort(controller.signal, () => called.push("late"));
  controller.abort();
  controller.abort();
  assert.deepEqual(called, [0, 1, "late"]);
});

test("a call that is forgotten while others are aborted is not called", () => {
  const controller = new AbortController();
  const called = [];
  let forgetSecond;
  abort.onAbort(controller.signal, () => {
    called.push(1);
    forgetSecond();
  });
  forgetSecond = abort.onAbort(controller.signal, () => called.push(2));
  controller.abort();
  assert.deepEqual(called, [1]);
});
