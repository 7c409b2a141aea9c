// What electron-builder is told: by its own rules, and where the client looks for the program.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);
const { build } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));

/** electron-builder's check of a configuration; undefined where it is not installed. */
function validator() {
  // BUILDER_FOLDER: where it is installed, if not here.
  const from = process.env.BUILDER_FOLDER;
  try {
    const path = require.resolve("app-builder-lib", from ? { paths: [from] } : undefined);
    return require(path.replace(/index\.js$/, "util/config/config.js")).validateConfiguration;
  } catch {
    return undefined;
  }
}

const validate = validator();
const skip = validate ? false : "electron-builder is not installed: npm install";

describe("electron-builder's own schema", { skip }, () => {
  const log = { isEnabled: false, add: () => {} };

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
    assert.ok(script.includes('dist / f"speaker-sidecar-{edition}"'));
  });
});
