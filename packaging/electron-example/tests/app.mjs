// The whole app but Electron: its main process, a real sidecar, and its page in a real Chromium.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import * as speakerSidecar from "../../../protocol/node/dist/esm/index.js";
import * as main from "../../../protocol/node/dist/esm/main.js";
import { REAL, ROOT, utterances } from "../../../protocol/node/tests/sidecars.mjs";
import { CHROMIUM, Page } from "./chromium.mjs";
import { fakeElectron, runMain, until } from "./electron.mjs";
import { serve } from "./loopback.mjs";

export const NO_BROWSER =
  CHROMIUM === undefined ? "there is no Chromium; name one in CHROMIUM" : undefined;

/**
 * The module `speaker-sidecar` with this program in the place of what it would find; `started` is
 * given each sidecar.
 */
export function packageWith(program, started = () => undefined) {
  const { SpeakerSidecar } = speakerSidecar;
  const start = async (options) => {
    const sidecar = await SpeakerSidecar.start({ ...options, cwd: ROOT });
    started(sidecar);
    return sidecar;
  };
  return {
    ...speakerSidecar,
    ...main,
    findCommand: () => ({ command: program.command, args: program.args }),
    SpeakerSidecar: { start },
  };
}

// The app itself says which model.
const PROGRAM = { command: REAL.command, args: REAL.args.slice(0, REAL.args.indexOf("serve")) };

/** A folder that is gone after the test. */
export function folderFor(t) {
  const folder = mkdtempSync(join(tmpdir(), "who-is-speaking-"));
  t.after(() => rmSync(folder, { recursive: true, maxRetries: 10 }));
  return folder;
}

/** Start the app; {page, did}, with the running child as `did.sidecar`. `microphone`: a WAV file that it hears. */
export async function openApp(t, { microphone, program = PROGRAM } = {}) {
  const { did, electron } = fakeElectron(folderFor(t));
  const started = (sidecar) => (did.sidecar = sidecar);
  runMain(electron, packageWith(program, started));
  await until(() => did.window?.file !== undefined);
  t.after(async () => {
    if (!(await did.quit())) await until(() => did.nQuits > 0);
  });
  const { url, close } = await serve(did);
  t.after(close);
  const hears = microphone ? [`--use-file-for-fake-audio-capture=${microphone}%noloop`] : [];
  const page = await Page.open(url, hears);
  t.after(() => page.close());
  return { page, did };
}

/** Wait until the voice service serves. */
export function serves(page) {
  return page.until('document.getElementById("service").dataset.state === "ready"');
}

export const text = (page, selector) =>
  page.evaluate(`document.querySelector(${JSON.stringify(selector)}).innerText`);

/** Wait until what an element says has these words. */
export function says(page, selector, words, timeoutMs) {
  const [where, what] = [selector, words].map((value) => JSON.stringify(value));
  return page.until(`document.querySelector(${where}).innerText.includes(${what})`, timeoutMs);
}

/** The utterances of each speaker, as paths. */
export function speakers() {
  const bySpeaker = {};
  for (const path of utterances()) (bySpeaker[path.split(/[\\/]/).at(-2)] ??= []).push(path);
  return Object.values(bySpeaker);
}

/** Keep pictures, light and dark, in the folder SCREENSHOTS, if it is named. */
export async function photograph(page, name) {
  const folder = process.env.SCREENSHOTS;
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  for (const scheme of ["light", "dark"]) {
    await page.colours(scheme);
    // Until what moves has come to rest.
    await new Promise((resolve) => setTimeout(resolve, 400));
    writeFileSync(join(folder, `${name}-${scheme}.png`), await page.screenshot());
  }
  await page.colours("light");
}
