// What electron-builder is told: by its own rules, and where the client looks for the program.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);
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

describe("the configuration", () => {
  test("keeps the program out of app.asar, where the client looks for it", () => {
    assert.equal(build.asar, true);
    const [resource] = build.extraResources;
    assert.equal(resource.to, "speaker-sidecar"); // findCommand's default folder
    assert.ok(!build.files.some((pattern) => pattern.includes("dist")));
  });

  test("takes the folder that packaging/build.py makes", () => {
    const [resource] = build.extraResources;
    const folder = fileURLToPath(new URL(`../${resource.from}`, import.meta.url));
    const script = readFileSync(new URL("../../build.py", import.meta.url), "utf8");
    assert.match(folder, /[\\/]dist[\\/]speaker-sidecar-cpu$/);
    assert.match(script, /f"speaker-sidecar-\{[\w.]*edition\}"/);
  });
});
