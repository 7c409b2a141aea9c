// The window as such: without its voice service, by the keyboard, for a screen reader, when narrow.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";

import { LIGHT, LIGHT_SKIP, tone } from "../../../protocol/node/tests/sidecars.mjs";
import { folderFor, NO_BROWSER, openApp, says, serves, text } from "./app.mjs";
import { until } from "./electron.mjs";
import { Sound } from "./sound.mjs";

const skip = NO_BROWSER ?? LIGHT_SKIP ?? false;

test(
  "a service that is out of order is a sentence, and can be tried again",
  { skip },
  async (t) => {
    const program = { command: "there-is-no-such-program", args: [] };
    const { page } = await openApp(t, { program });
    await page.until('!document.getElementById("out-of-order").hidden');
    assert.equal(await text(page, "#fault-sentence"), "The voice service could not be started.");
    assert.match(await text(page, "#fault-detail"), /there-is-no-such-program/);
    assert.equal(await text(page, "#service"), "Out of order");
    assert.equal(await page.evaluate('document.getElementById("listen").disabled'), true);
    Object.assign(program, LIGHT);
    await page.click("#retry");
    await serves(page);
    await page.until('document.getElementById("out-of-order").hidden');
    assert.equal(await page.evaluate('document.getElementById("listen").disabled'), false);
    assert.deepEqual(page.logged, []);
  },
);

test("by the keyboard, in the order in which one reads", { skip }, async (t) => {
  const { page } = await openApp(t, { program: LIGHT });
  await serves(page);
  const focused = async () => {
    await page.press("Tab");
    return page.evaluate("document.activeElement.id");
  };
  const order = [];
  for (let n = 0; n < 4; n++) order.push(await focused());
  assert.deepEqual(order, ["add-person", "live-tab", "listen", "microphone"]);
  await page.evaluate('document.getElementById("add-person").focus()');
  await page.press("Enter");
  await page.until('document.activeElement.id === "name"');
  // The dialog keeps the focus, Escape leaves it, and the focus is where it was.
  const inside = new Set();
  for (let n = 0; n < 6; n++) inside.add(await focused());
  assert.ok(inside.has("record") && inside.has("enrolment-done"), [...inside].join());
  assert.ok(!inside.has("listen"), [...inside].join());
  await page.press("Escape");
  await page.until('document.activeElement.id === "add-person"');
});

test("for a screen reader, all that one can use has a name", { skip }, async (t) => {
  const { page, did } = await openApp(t, { program: LIGHT });
  await serves(page);
  const audio = { samples: new Float32Array(64_000).fill(0.1), sampleRateHz: 16_000 };
  await did.sidecar.people.enroll({ name: "Ada", audio });
  await page.click("#add-person");
  await page.press("Escape");
  await says(page, "#people", "Ada");
  for (const tab of ["#live-tab", "#file-tab"]) {
    await page.click(tab);
    const { nodes } = await page.call("Accessibility.getFullAXTree");
    const usable = nodes.filter(
      ({ ignored, role }) =>
        !ignored &&
        ["button", "textbox", "slider", "tab", "combobox", "meter"].includes(role?.value),
    );
    assert.ok(usable.length >= 5);
    for (const { role, name } of usable) assert.ok(name?.value, `a ${role.value} has no name`);
  }
  const region = await page.evaluate('document.getElementById("announcement").ariaLive');
  assert.equal(region, "polite");
});

test("a narrow window has one column, and nothing beyond its edge", { skip }, async (t) => {
  const { page } = await openApp(t, { program: LIGHT });
  await serves(page);
  const metrics = { height: 800, deviceScaleFactor: 1, mobile: false };
  await page.call("Emulation.setDeviceMetricsOverride", { width: 420, ...metrics });
  for (const tab of ["#live-tab", "#file-tab"]) {
    await page.click(tab);
    const width = await page.evaluate("document.documentElement.scrollWidth");
    assert.ok(width <= 420, `${tab}: ${width}`);
  }
  // A timeline has the room that it needs, and its marks do not cover each other.
  const recording = join(folderFor(t), "tone.wav");
  new Sound().addSamples(tone(20 * 16_000, 0.3).samples).save(recording);
  await page.dropFiles("#drop", [recording]);
  await page.until('document.querySelector("#file-result article")');
  const box = "getBoundingClientRect()";
  assert.ok(
    (await page.evaluate(`document.querySelector("#file-result .lane").${box}.width`)) > 280,
  );
  const marks = await page.evaluate(
    `[...document.querySelectorAll("#file-result .mark")].map((one) => {
      const { left, right } = one.${box};
      return { left, right };
    })`,
  );
  assert.ok(marks.length >= 2);
  for (const [n, { left }] of marks.slice(1).entries()) assert.ok(left > marks[n].right);
});

/** Whether the child has room for as many streams as it can have. */
async function hasNoStream({ sidecar }) {
  const lives = Array.from({ length: sidecar.hello.limits.maxStreams }, () =>
    sidecar.live({ sampleRateHz: 16_000 }),
  );
  for (const live of lives) live.push(new Float32Array(1_600));
  const closed = await Promise.allSettled(lives.map((live) => live.close()));
  return closed.every(({ status }) => status === "fulfilled");
}

test("what was recorded is not lost with the service", { skip }, async (t) => {
  const microphone = join(folderFor(t), "tone.wav");
  const { samples } = tone(4 * 16_000, 0.3);
  new Sound().addSamples(samples).add(Sound.silence(30)).save(microphone);
  const { page, did } = await openApp(t, { program: LIGHT, microphone });
  await serves(page);
  await page.click("#listen");
  await until(() => did.news.some(({ event, value }) => event === "turn" && value.embedding));
  await did.sidecar.close();
  await page.until('document.querySelector("#live-result article")');
  assert.match(await text(page, "#live-result .summary"), /1 voice, \d turn/);
  assert.equal(await text(page, "#stage-hint"), "Below is what was said, as it was told.");
  assert.match(await text(page, "#fault-text"), /closed/);
  assert.deepEqual(page.logged, []);
});

test("a page that is loaded anew while it listens leaves no stream", { skip }, async (t) => {
  const microphone = join(folderFor(t), "tone.wav");
  new Sound().addSamples(tone(30 * 16_000, 0.3).samples).save(microphone);
  const { page, did } = await openApp(t, { program: LIGHT, microphone });
  const listens = async () => {
    const nBefore = did.news.length;
    await page.click("#listen");
    await says(page, "#listen", "Stop");
    const isLevel = ({ event, value }) => event === "level" && value.rmsDbfs > -30;
    await until(() => did.news.slice(nBefore).some(isLevel));
  };
  await serves(page);
  await listens();
  assert.equal(await hasNoStream(did), false);
  await page.evaluate("void (window.isOld = true)");
  await page.call("Page.reload");
  await page.until("!window.isOld && document.getElementById('service') !== null");
  await serves(page);
  assert.equal(await text(page, "#listen"), "Listen");
  assert.equal(await hasNoStream(did), true);
  // The next one begins at its own beginning.
  await listens();
  const levels = did.news.filter(({ event }) => event === "level");
  assert.ok(levels.at(-1).value.endS < 5);
  await page.click("#listen");
  await page.until('document.querySelector("#live-result article")');
  assert.equal(await hasNoStream(did), true);
  assert.deepEqual(page.logged, []);
});
