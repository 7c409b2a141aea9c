// The programs under test, and what the tests need to start them.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { SpeakerSidecar } from "speaker-sidecar";

export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
export const PYTHON = process.env.PYTHON ?? (process.platform === "win32" ? "py" : "python3");

/** The real server with an encoder that needs no torch. */
export const LIGHT = { command: PYTHON, args: ["tests/light_sidecar.py"], cwd: ROOT };

/** The real sidecar, or what SIDECAR_ARGV names; a word with spaces in it stands in quotes. */
const named = process.env.SIDECAR_ARGV?.match(/"[^"]*"|'[^']*'|\S+/g);
const [command, ...args] = named?.map(unquoted) ?? [PYTHON, "-m", "sidecar"];
export const REAL = {
  command,
  args: [...args, "serve", "--model", "campplus-zh-en", "--threads", "1"],
  cwd: ROOT,
};

/** Why the light sidecar cannot run here; undefined where it can. */
export const LIGHT_SKIP = reasonToSkip(
  "import msgpack, numpy, psutil, soundfile, soxr",
  `${PYTHON} has not what the sidecar needs; name another in PYTHON`,
);

/** Why the real one cannot run here; its model is fetched if it is not there. */
export const REAL_SKIP = named ? undefined : (LIGHT_SKIP ?? reasonToSkipTheModel());

function reasonToSkipTheModel() {
  return reasonToSkip(
    `import importlib.util
assert importlib.util.find_spec("torch"), "no torch"
from sidecar.store.catalog import MODELS
from sidecar.store.weights import WeightStore, default_models_dir
WeightStore(default_models_dir()).ensure(MODELS["campplus-zh-en"])`,
    "torch or the weights of campplus-zh-en are not there",
  );
}

function unquoted(word) {
  return word.replace(/^(["'])(.*)\1$/, "$2");
}

function reasonToSkip(code, reason) {
  const { status, stderr, error } = spawnSync(PYTHON, ["-c", code], {
    cwd: ROOT,
    encoding: "utf8",
  });
  if (status === 0) return undefined;
  return `${reason}: ${error?.message ?? stderr.trim().split("\n").at(-1)}`;
}

/** Start a sidecar that is closed after the test `t`; `environment` is beside this process's own. */
export async function start(t, options = LIGHT, environment = {}) {
  const sidecar = await SpeakerSidecar.start({
    ...options,
    env: { ...process.env, ...environment },
  });
  t.after(() => sidecar.close());
  return sidecar;
}

/** Resolves with the first `event` for which `holds`. */
export function eventually(sidecar, event, holds = () => true) {
  return new Promise((resolve) => {
    const listener = (value) => {
      if (!holds(value)) return;
      sidecar.off(event, listener);
      resolve(value);
    };
    sidecar.on(event, listener);
  });
}

/** Resolves once the child serves. */
export async function ready(sidecar) {
  const serves = (health) => ["ready", "degraded"].includes(health?.state);
  return serves(sidecar.lastHealth) ? sidecar.lastHealth : eventually(sidecar, "health", serves);
}

/** A tone of `nSamples` at 16 kHz; other samples for each `level`. */
export function tone(nSamples = 16_000, level = 0.1) {
  const samples = Float32Array.from({ length: nSamples }, (_, n) => level * Math.sin(n / 8));
  return { samples, sampleRateHz: 16_000 };
}

/** Real utterances: those of SPEECH_FOLDER, or of the folder beside a developer's checkout. */
export function utterances() {
  const folder = process.env.SPEECH_FOLDER ?? join(ROOT, "..", "shared", "audio", "librispeech");
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith(".flac"))
    .sort()
    .map((name) => join(folder, name));
}

/** Why tests of real speech cannot run here. */
export const SPEECH_SKIP =
  REAL_SKIP ?? (utterances().length === 0 ? "no ../shared with real speech" : undefined);

/** The cosine of two embeddings. */
export function cosine(a, b) {
  const dot = (x, y) => x.reduce((sum, value, index) => sum + value * y[index], 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}
