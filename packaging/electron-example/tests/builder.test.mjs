// What electron-builder is told: by its own rules, and where the client looks for the program.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);
const { findCommand } = require("../../../protocol/node/dist/index.js");
const { build } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));

/** The main file of electron-builder's library; undefined where it is not installed. */
function builder() {
  // BUILDER_FOLDER: where it is installed, if not here.
  const from = process.env.BUILDER_FOLDER;
  try {
    return require.resolve("app-builder-lib", from ? { paths: [from] } : undefined);
  } catch (error) {
    if (error.code === "MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}

const main = builder();
const skip = main ? false : "electron-builder is not installed: npm install";

describe("electron-builder's own schema", { skip }, () => {
  const log = { isEnabled: false, add: () => {} };
  const validate = (config, debugLog) => {
    // Its library does not export it.
    const path = main.replace(/index\.js$/, "util/config/config.js");
    return require(path).validateConfiguration(config, debugLog);
  };

  test("accepts the configuration", () => validate(structuredClone(build), log));

  test("would refuse another", async () => {
    const wrong = { ...build, extraResource: build.extraResources };
    await assert.rejects(async () => validate(wrong, log), /extraResource/);
  });
});

const notHere = skip || (process.platform !== "linux" && "the stand-in for Electron is Linux's");

describe("electron-builder itself, with a stand-in for Electron", { skip: notHere }, () => {
  test("lays the npm package's program beside app.asar, whole, where the client looks", async (t) => {
    const around = mkdtempSync(join(tmpdir(), "builder-"));
    t.after(() => rmSync(around, { recursive: true }));
    const name = `speaker-sidecar-${process.platform}-${process.arch}`;
    const [app, electron, program] = ["app", "electron", `app/node_modules/${name}/speaker-sidecar`]
      .map((folder) => join(around, folder))
      .map((folder) => (mkdirSync(folder, { recursive: true }), folder));
    const files = [
      "models/.converted/a/network.onnx",
      "_internal/a.libs/b.so.1",
      "speaker-sidecar",
    ];
    for (const file of files) {
      mkdirSync(dirname(join(program, file)), { recursive: true });
      writeFileSync(join(program, file), "content", { mode: 0o755 });
    }
    const about = { name: "app", version: "1.0.0", main: "main.js", description: "-", author: "-" };
    writeFileSync(
      join(app, "package.json"),
      JSON.stringify({ ...about, dependencies: { [name]: "0.1.0" } }),
    );
    writeFileSync(join(app, "main.js"), "// no app");
    writeFileSync(
      join(program, "..", "package.json"),
      JSON.stringify({ name, version: "0.1.0", files: ["speaker-sidecar"] }),
    );
    writeFileSync(join(electron, "electron"), "");
    const config = {
      electronDist: electron,
      electronVersion: "30.0.0",
      npmRebuild: false,
      // As docs/shipping.md says.
      asarUnpack: ["node_modules/speaker-sidecar-*/**"],
    };
    await require(main).build({ projectDir: app, config, linux: ["dir"], publish: "never" });
    const resourcesPath = join(app, "dist", "linux-unpacked", "resources");
    const unpacked = join(resourcesPath, "app.asar.unpacked", "node_modules", name);
    for (const file of files) {
      assert.ok(statSync(join(unpacked, "speaker-sidecar", file)).mode & 0o100, file);
    }
    const { command } = findCommand({ isPackaged: true, resourcesPath });
    assert.equal(command, join(unpacked, "speaker-sidecar", "speaker-sidecar"));
  });
});

describe("the configuration", () => {
  test("keeps the program out of app.asar, where the client looks for it", () => {
    assert.equal(build.asar, true);
    const [resource] = build.extraResources;
    assert.equal(resource.to, "speaker-sidecar"); // findCommand's default folder
    assert.ok(!build.files.some((pattern) => pattern.includes("dist")));
  });

  test("has every library for Windows signed, and what a Mac updates from", () => {
    assert.deepEqual(build.win.signExts, [".dll", ".pyd"]);
    assert.ok(build.mac.target.includes("zip"));
    assert.match(build.mac.extendInfo.NSMicrophoneUsageDescription, /\w/);
  });

  test("takes the folder that packaging/build.py makes", () => {
    const [resource] = build.extraResources;
    const folder = fileURLToPath(new URL(`../${resource.from}`, import.meta.url));
    const script = readFileSync(new URL("../../build.py", import.meta.url), "utf8");
    assert.match(folder, /[\\/]dist[\\/]speaker-sidecar-cpu$/);
    assert.match(script, /f"speaker-sidecar-\{[\w.]*edition\}"/);
  });
});
