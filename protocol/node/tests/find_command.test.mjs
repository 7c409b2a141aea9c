import assert from "node:assert/strict";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";

import { CommandNotFound, findCommand } from "speaker-sidecar";

const WINDOWS = process.platform === "win32";
const PROGRAM = WINDOWS ? "speaker-sidecar.exe" : "speaker-sidecar";
const PACKAGE = `speaker-sidecar-${process.platform}-${process.arch}`;
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

/** Install the package for this platform below `folder`; the program's place in it. */
function platformPackage(folder, name = PACKAGE) {
  const own = join(folder, "node_modules", name);
  mkdirSync(own, { recursive: true });
  writeFileSync(join(own, "package.json"), JSON.stringify({ name, version: "0.1.0" }));
  return join(own, "speaker-sidecar", PROGRAM);
}

test("development: the npm package comes after a .venv, and before the PATH", (t) => {
  const project = join(emptyFolder(t), "a", "b");
  const installed = program(platformPackage(dirname(project)));
  const bin = emptyFolder(t);
  withValues(process.env, { PATH: bin }, () => {
    const find = () => findCommand({ projectFolder: project }).command;
    program(bin, PROGRAM);
    assert.equal(find(), installed);
    const venv = program(project, ...VENV);
    assert.equal(find(), venv);
  });
});

test("the npm package is found beside the client, as pnpm lays it", (t) => {
  const folder = emptyFolder(t);
  const store = join(folder, "store", "speaker-sidecar@0.1.0");
  const installed = program(platformPackage(store));
  platformPackage(store, "speaker-sidecar");
  const modules = join(folder, "project", "node_modules");
  mkdirSync(modules, { recursive: true });
  const client = join(store, "node_modules", "speaker-sidecar");
  try {
    symlinkSync(client, join(modules, "speaker-sidecar"), "junction");
  } catch (error) {
    return t.skip(`this system makes no links: ${error.code}`); // Wine does not
  }
  withValues(process.env, { PATH: "" }, () => {
    const { command } = findCommand({ projectFolder: join(folder, "project") });
    assert.equal(command, installed);
  });
});

for (const app of ["app.asar.unpacked", "app"]) {
  test(`packaged: in the npm package, in ${app}`, (t) => {
    const resourcesPath = emptyFolder(t);
    const find = () => findCommand({ isPackaged: true, resourcesPath }).command;
    const place = platformPackage(join(resourcesPath, app));
    assert.throws(find, (error) => error.message.includes(`${place} (not there)`));
    assert.equal((program(place), find()), place);
    const beside = program(resourcesPath, "speaker-sidecar", PROGRAM);
    assert.equal(find(), beside, "what the app was given by hand comes first");
  });
}

test("packaged: nothing outside of the app is started", (t) => {
  const folder = emptyFolder(t);
  program(platformPackage(folder));
  const resourcesPath = join(folder, "App", "resources");
  mkdirSync(resourcesPath, { recursive: true });
  assert.throws(() => findCommand({ isPackaged: true, resourcesPath }), CommandNotFound);
});

test("the error says what was looked for, and what is wrong with it", (t) => {
  const resourcesPath = emptyFolder(t);
  const path = join(resourcesPath, "speaker-sidecar", PROGRAM);
  const find = () => findCommand({ isPackaged: true, resourcesPath });
  const says = (text) => (error) =>
    ["extraResources", "asarUnpack", `${path} (${text})`].every((words) =>
      error.message.includes(words),
    );
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
        return [PACKAGE, "npm", "pip"].every((words) => error.message.includes(words));
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
