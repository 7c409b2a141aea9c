// The sidecar and Electron's life: what ends it, and what does not.

import assert from "node:assert/strict";
import { test } from "node:test";

import { closeBeforeQuit } from "speaker-sidecar";

import { fakeElectron } from "./electron.mjs";

/** A sidecar whose child ends when the test says. */
function fakeSidecar() {
  const sidecar = {
    state: "ready",
    nCloses: 0,
    close: () => {
      sidecar.nCloses += 1;
      sidecar.state = "closing";
      return new Promise((resolve) => {
        sidecar.ends = async () => {
          sidecar.state = "closed";
          resolve();
          await new Promise((next) => setImmediate(next));
        };
      });
    },
  };
  return sidecar;
}

function quitting(options) {
  const electron = fakeElectron(options);
  const sidecar = fakeSidecar();
  closeBeforeQuit(electron.app, sidecar);
  return { ...electron, sidecar, window: new electron.BrowserWindow() };
}

test("the app waits for the child's end, then quits", async () => {
  const { app, did, sidecar } = quitting();
  app.quit();
  app.quit();
  assert.deepEqual([app.hasExited, sidecar.nCloses], [false, 1]);
  await sidecar.ends();
  assert.equal(app.hasExited, true);
  assert.deepEqual(did.at(-1), "quit");
  assert.equal(sidecar.nCloses, 1);
});

test("a window that asks to save cancels the quit: the sidecar serves on", async () => {
  const { app, sidecar, window } = quitting();
  window.beforeunload = () => false;
  app.quit();
  assert.deepEqual([sidecar.nCloses, sidecar.state, app.hasExited], [0, "ready", false]);
  // Saved now.
  window.beforeunload = () => true;
  app.quit();
  await sidecar.ends();
  assert.equal(app.hasExited, true);
});

test("a window's close may be prevented, too", () => {
  const { app, sidecar, window } = quitting();
  window.on("close", (event) => event.preventDefault());
  app.quit();
  app.closeWindows();
  assert.equal(sidecar.nCloses, 0);
});

for (const when of ["before", "after"]) {
  test(`a veto of before-quit that was added ${when} is respected`, () => {
    const electron = fakeElectron();
    const sidecar = fakeSidecar();
    const veto = () => electron.app.on("before-quit", (event) => event.preventDefault());
    if (when === "before") veto();
    closeBeforeQuit(electron.app, sidecar);
    if (when === "after") veto();
    electron.app.quit();
    assert.deepEqual([sidecar.nCloses, electron.did], [0, ["before-quit"]]);
  });
}

test("so is one of will-quit that was added before", () => {
  const { app, BrowserWindow } = fakeElectron();
  const sidecar = fakeSidecar();
  app.on("will-quit", (event) => event.preventDefault());
  closeBeforeQuit(app, sidecar);
  new BrowserWindow();
  app.quit();
  assert.equal(sidecar.nCloses, 0);
});

test("another part that also waits: both end, then the app", async () => {
  const { app, sidecar } = quitting();
  const other = fakeSidecar();
  closeBeforeQuit(app, other);
  app.quit();
  assert.deepEqual([sidecar.nCloses, other.nCloses], [1, 0]);
  await sidecar.ends();
  assert.deepEqual([other.nCloses, app.hasExited], [1, false]);
  await other.ends();
  assert.equal(app.hasExited, true);
});

test("quitAndInstall installs: before-quit was never prevented", async () => {
  const { app, autoUpdater, did, sidecar } = quitting();
  autoUpdater.quitAndInstall();
  await sidecar.ends();
  assert.equal(app.hasExited, true);
  assert.equal(did.at(-1), "install");
});

test("an app that lives on, and starts its sidecar again, waits again", async () => {
  const { app, sidecar } = quitting();
  const lateVeto = (event) => event.preventDefault();
  app.on("will-quit", lateVeto);
  app.quit();
  await sidecar.ends();
  assert.equal(app.hasExited, false);
  sidecar.state = "ready"; // it was restarted
  app.off("will-quit", lateVeto);
  app.quit();
  assert.deepEqual([sidecar.nCloses, app.hasExited], [2, false]);
  await sidecar.ends();
  assert.equal(app.hasExited, true);
});

test("the last window closes: the app quits by itself", async () => {
  const { app, sidecar } = quitting();
  app.closeWindows();
  await sidecar.ends();
  assert.equal(app.hasExited, true);
});

test("on a Mac the app lives on without windows, and so does the sidecar", () => {
  const { app, sidecar } = quitting({ keepsRunningWithoutWindows: true });
  app.closeWindows();
  assert.equal(sidecar.nCloses, 0);
});
