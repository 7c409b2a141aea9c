// The package as an app gets it: packed, installed, in both module systems, with its types.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import * as esm from "speaker-sidecar";

import camelCase from "../dist/camel_case.js";

const PACKAGE = fileURLToPath(new URL("../", import.meta.url));
const require = createRequire(import.meta.url);
const app = mkdtempSync(join(tmpdir(), "sidecar-app-"));
after(() => rmSync(app, { recursive: true }));

const read = (...names) => names.map((name) => readFileSync(join(PACKAGE, name), "utf8")).join();

function run(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: app,
    encoding: "utf8",
    ...options,
  });
  assert.equal(status, 0, `${error?.message ?? ""}${stdout}${stderr}`);
  return stdout;
}

const shell = process.platform === "win32";
const npm = shell ? "npm.cmd" : "npm";
const isThere = spawnSync(npm, ["--version"], { shell }).status === 0;
/** For the tests of what npm packs. */
const packed = { skip: !isThere && "npm is not installed" };

before(() => {
  if (!isThere) return;
  const pack = [
    "pack",
    "--ignore-scripts",
    "--json",
    "--pack-destination",
    app,
    "--loglevel",
    "error",
  ];
  const [{ filename }] = JSON.parse(run(npm, pack, { cwd: PACKAGE, shell }));
  run("tar", ["-xzf", filename]);
  mkdirSync(join(app, "node_modules", "@types"), { recursive: true });
  renameSync(join(app, "package"), join(app, "node_modules", "speaker-sidecar"));
  // Its one dependency and the types of Node are those that are here: no network is needed.
  for (const name of ["@msgpack", "@types/node", "undici-types"]) {
    symlinkSync(join(PACKAGE, "node_modules", name), join(app, "node_modules", name), "junction");
  }
});

test("it has what it needs, and nothing else", packed, () => {
  const { dependencies, version } = JSON.parse(readFileSync(join(PACKAGE, "package.json"), "utf8"));
  assert.deepEqual(Object.keys(dependencies), ["@msgpack/msgpack"]);
  const python = readFileSync(join(PACKAGE, "..", "..", "sidecar", "__init__.py"), "utf8");
  assert.equal(version, /__version__ = "(.*)"/.exec(python)[1], "both halves have one version");
  const installed = readFileSync(join(app, "node_modules", "speaker-sidecar", "README.md"), "utf8");
  assert.match(installed, /SpeakerSidecar\.start/);
});

test("the types name every field that the child's reports have", () => {
  const python = read("../reports.py", "../quality.py", "../gallery_reports.py");
  const types = read("src/reports.ts", "src/people_reports.ts");
  // A field stands indented, on a line of its own: "rss_bytes: int".
  const fields = [...python.matchAll(/^ {4}([a-z0-9_]+): (?!ClassVar)/gm)].map(([, name]) => name);
  assert.ok(fields.length > 130, String(fields.length));
  // Of these the app sees nothing: they answer `shutdown`, or their own fields take their place.
  const unseen = new Set(["finished", "cancelled", "details", "results", "people", "data", "next"]);
  const missing = fields.filter((name) => {
    const [camel] = Object.keys(camelCase.camelCased({ [name]: 0 }));
    return !unseen.has(name) && !new RegExp(`readonly ${camel}\\??:`).test(types);
  });
  assert.deepEqual(missing, []);
});

test("no host of a developer's machine is in the lock file", () => {
  // Who wants to be paid names a page of theirs.
  const lock = read("package-lock.json").replace(/^ *"(url|funding)": "[^"]*",?$/gm, "");
  assert.doesNotMatch(lock, /"resolved"|https?:\/\//);
});

test("import and require give the same names, each from a build of its own", () => {
  const cjs = require("speaker-sidecar");
  assert.deepEqual(Object.keys(esm).sort(), Object.keys(cjs).sort());
  for (const name of Object.keys(cjs)) assert.equal(typeof esm[name], typeof cjs[name], name);
  // Whose class identity holds all the same: error_transport.test.mjs.
  assert.notEqual(esm.BadAudio, cjs.BadAudio);
});

test("it says whose it is, and that a bundler may leave out what is not used", packed, () => {
  const { repository, keywords, sideEffects } = JSON.parse(read("package.json"));
  assert.match(repository.url, /^git\+https:/);
  assert.equal(repository.directory, "protocol/node");
  assert.ok(keywords.includes("electron") && keywords.includes("speaker-diarization"));
  assert.equal(sideEffects, false);
});

test("every file has its source map, and every map its source", packed, () => {
  const root = join(app, "node_modules", "speaker-sidecar");
  for (const folder of ["dist", join("dist", "esm")]) {
    const names = readdirSync(join(root, folder)).filter(
      // What was made of the others' code has no source of its own.
      (name) => name.endsWith(".js") && !["preload_script.js", "worklet.js"].includes(name),
    );
    assert.ok(names.length > 30);
    for (const name of names) {
      const map = JSON.parse(readFileSync(join(root, folder, `${name}.map`), "utf8"));
      for (const source of map.sources) readFileSync(join(root, folder, source));
    }
  }
});

test("an app can import it, and require it", packed, () => {
  writeFileSync(
    join(app, "app.mjs"),
    'import { SpeakerSidecar, PROTOCOL } from "speaker-sidecar";\nconsole.log(typeof SpeakerSidecar.start, PROTOCOL);\n',
  );
  writeFileSync(
    join(app, "app.cjs"),
    'const { SpeakerSidecar, PROTOCOL } = require("speaker-sidecar");\nconsole.log(typeof SpeakerSidecar.start, PROTOCOL);\n',
  );
  for (const name of ["app.mjs", "app.cjs"]) {
    assert.equal(run(process.execPath, [name]).trim(), "function 1");
  }
});

for (const [module, moduleResolution] of [
  ["node16", "node16"],
  ["nodenext", "nodenext"],
  ["esnext", "bundler"],
]) {
  const how = `ESM and CommonJS: ${moduleResolution}`;
  test(`a strict TypeScript app compiles against it, ${how}`, packed, () => {
    compileConsumer({ module, moduleResolution });
  });
}

test(
  "an app that says who is speaking is short, stands in the README, and compiles",
  packed,
  () => {
    const folder = join(PACKAGE, "tests", "electron_app");
    const files = ["main.mts", "page.ts"];
    const readme = readFileSync(join(PACKAGE, "README.md"), "utf8");
    const texts = files.map((name) => readFileSync(join(folder, name), "utf8").trimEnd());
    for (const text of texts) assert.ok(readme.includes(text), text);
    assert.ok(texts.join("\n").split("\n").length <= 40);
    const all = [...files, "electron.d.ts", "service.mts", "speaking.ts"];
    for (const name of all) copyFileSync(join(folder, name), join(app, name));
    compile(all, { module: "nodenext", moduleResolution: "nodenext" }, [
      "es2022",
      "dom",
      "dom.iterable",
    ]);
  },
);

test("each way into the package is there", packed, () => {
  const { exports } = JSON.parse(readFileSync(join(PACKAGE, "package.json"), "utf8"));
  const files = Object.values(exports).flatMap(function files(one) {
    return typeof one === "string" ? [one] : Object.values(one).flatMap(files);
  });
  assert.ok(files.length >= 9);
  const root = join(app, "node_modules", "speaker-sidecar");
  for (const file of files) assert.ok(existsSync(join(root, file)), file);
});

function compileConsumer(howToResolve) {
  const source = join(PACKAGE, "tests", "consumer", "consumer.mts");
  copyFileSync(source, join(app, "consumer.mts"));
  copyFileSync(source, join(app, "consumer.cts"));
  compile(["consumer.mts", "consumer.cts"], howToResolve, ["es2022"]);
}

function compile(files, howToResolve, lib) {
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    ...howToResolve,
    target: "es2022",
    lib,
    types: ["node"],
    noEmit: true,
    skipLibCheck: false,
  };
  writeFileSync(join(app, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
  run(process.execPath, [require.resolve("typescript/bin/tsc"), "--project", app]);
}
