import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";

import { CommandNotFound, findCommand } from "speaker-sidecar";

const WINDOWS = process.platform === "win32";
const PROGRAM = WINDOWS ? "speaker-sidecar.exe" : "speaker-sidecar";
const VENV = [".venv", WINDOWS ? "Scripts" : "bin", PROGRAM];

function emptyFolder(t) {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "sidecar-find-")));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

function program(...parts) {
  const path = join(...parts);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, "");
  chmodSync(path, 0o755);
  return path;
}

/** With `values` in `object` while `task` runs. */
function withValues(object, values, task) {
  const before = Object.getOwnPropertyDescriptors(object);
  Object.assign(object, values);
  try {
    return task();
  } finally {
    for (const name of Object.keys(values)) {
      if (name in before) Object.defineProperty(object, name, before[name]);
      else delete object[name];
    }
  }
}

test("development: the project's .venv, then those above it, then the PATH", (t) => {
  const project = join(emptyFolder(t), "a", "b");
  mkdirSync(project, { recursive: true });
  const bin = emptyFolder(t);
  withValues(process.env, { PATH: bin }, () => {
    const find = () => findCommand({ projectFolder: project });
    assert.throws(find, CommandNotFound);
    const onPath = program(bin, PROGRAM);
    assert.deepEqual(find(), { command: onPath, args: [] });
    const above = program(dirname(project), ...VENV);
    assert.deepEqual(find(), { command: above, args: [] });
    const own = program(project, ...VENV);
    assert.deepEqual(find(), { command: own, args: [] });
  });
});

test("development: a Python of one's choice", () => {
  assert.deepEqual(findCommand({ python: "python3.12" }), {
    command: "python3.12",
    args: ["-m", "sidecar"],
  });
});

test("packaged: in the app's resources, as Electron names them", (t) => {
  const resourcesPath = emptyFolder(t);
  const path = program(resourcesPath, "speaker-sidecar", PROGRAM);
  withValues(process, { resourcesPath }, () => {
    assert.deepEqual(findCommand(), { command: path, args: [] });
    // Whoever names a Python means it; a developer's has no say in what is known to be packaged.
    const named = { command: "python3", args: ["-m", "sidecar"] };
    assert.deepEqual(findCommand({ python: "python3" }), named);
    assert.equal(findCommand({ python: "python3", isPackaged: true }).command, path);
    assert.deepEqual(findCommand({ python: "python3", isPackaged: false }), named);
  });
  assert.equal(findCommand({ isPackaged: true, resourcesPath }).command, path);
});

test("Electron in development is not packaged", () => {
  withValues(process, { resourcesPath: "/electron/resources", defaultApp: true }, () => {
    assert.equal(findCommand({ python: "python3" }).command, "python3");
  });
});

test("packaged: never inside app.asar", (t) => {
  const resourcesPath = emptyFolder(t);
  const folder = join("app.asar", "native");
  program(resourcesPath, folder, PROGRAM);
  const find = () => findCommand({ isPackaged: true, resourcesPath, folder });
  assert.throws(find, (error) => {
    assert.ok(error instanceof CommandNotFound);
    return error.message.includes("app.asar.unpacked");
  });
  const unpacked = program(resourcesPath, "app.asar.unpacked", "native", PROGRAM);
  assert.equal(find().command, unpacked);
});

test("the error says what was looked for, and what is wrong with it", (t) => {
  const resourcesPath = emptyFolder(t);
  const path = join(resourcesPath, "speaker-sidecar", PROGRAM);
  const find = () => findCommand({ isPackaged: true, resourcesPath });
  const says = (text) => (error) =>
    error.message.includes(`${path} (${text})`) && error.message.includes("extraResources");
  assert.throws(find, says("not there"));
  if (!WINDOWS) {
    program(path);
    chmodSync(path, 0o644);
    assert.throws(find, says("not executable"));
  }
  const project = emptyFolder(t);
  withValues(process.env, { PATH: project }, () => {
    assert.throws(
      () => findCommand({ projectFolder: project }),
      (error) => {
        for (const place of [join(project, ...VENV), join(project, PROGRAM)]) {
          assert.ok(error.message.includes(`${place} (not there)`), error.message);
        }
        return error.message.includes("pip");
      },
    );
  });
  assert.throws(() => findCommand({ isPackaged: true }), /resourcesPath/);
});

test("a utility process of Electron in development is not packaged: it lacks defaultApp", (t) => {
  const electron = emptyFolder(t);
  const project = emptyFolder(t);
  const own = program(project, ...VENV);
  const find = () => findCommand({ projectFolder: project }).command;
  for (const execPath of [
    "/app/node_modules/electron/dist/electron",
    join("C:", "electron.exe"),
    "/app/Electron.app/Contents/MacOS/Electron",
    "/app/Electron.app/Contents/Frameworks/Electron Helper (Plugin).app/Electron Helper (Plugin)",
  ]) {
    const name = execPath.split(/[\\/]/).at(-1);
    withValues(process, { resourcesPath: electron, execPath: join("/x", name) }, () => {
      assert.equal(find(), own, execPath);
    });
  }
  // A program that was renamed, with Electron's own app still beside it.
  withValues(process, { resourcesPath: electron }, () => {
    assert.throws(find, /extraResources/);
    writeFileSync(join(electron, "default_app.asar"), "");
    assert.equal(find(), own);
  });
});
