// The package inside of an app's bundle: minified, as ESM and as CommonJS, by each bundler.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const PACKAGE = fileURLToPath(new URL("../", import.meta.url));
const CHILD = fileURLToPath(new URL("stand_in_child.mjs", import.meta.url));
const app = mkdtempSync(join(tmpdir(), "sidecar-bundles-"));
after(() => rmSync(app, { recursive: true }));
// Copied, as not every system makes links.
const modules = join(app, "node_modules");
for (const part of ["package.json", "dist"]) {
  cpSync(join(PACKAGE, part), join(modules, "speaker-sidecar", part), { recursive: true });
}
cpSync(join(PACKAGE, "node_modules", "@msgpack"), join(modules, "@msgpack"), { recursive: true });

const ENTRY = join(app, "entry.mjs");
writeFileSync(
  ENTRY,
  `import { BadAudio, ChildGone, SidecarError, SpeakerSidecar } from "speaker-sidecar";

const started = () =>
  SpeakerSidecar.start({ command: process.execPath, args: [process.argv[2], "serve"] });

async function main() {
  const sidecar = await started();
  const told = { dim: (await sidecar.embed(audioOf(16_000))).dim };
  try {
    await sidecar.embed(audioOf(1));
  } catch (error) {
    const { name, kind } = error;
    const isOne = [BadAudio, SidecarError, Error].map((type) => error instanceof type);
    Object.assign(told, { name, kind, isOne, isOther: error instanceof ChildGone });
    Object.assign(told, { text: String(error), json: error.toJSON().name });
    told.stack = error.stack.split("\\n")[0];
  }
  await sidecar.close();
  console.log(JSON.stringify(told));
}

function audioOf(nSamples) {
  return { samples: new Float32Array(nSamples), sampleRateHz: 16_000 };
}

void main();
`,
);

// What any bundler can do that works here: some are programs, of another system perhaps.
const TRIAL = join(app, "trial.mjs");
writeFileSync(TRIAL, "export const trial = 1;\n");

const EXTENSIONS = { cjs: "cjs", esm: "mjs" };

const BUNDLERS = {
  async esbuild({ build }, format, outfile, entry) {
    const asked = { entryPoints: [entry], outfile, format, bundle: true, minify: true };
    await build({ ...asked, platform: "node", logLevel: "silent" });
  },
  async webpack({ default: webpack }, format, outfile, entry) {
    const library = format === "esm" ? { experiments: { outputModule: true } } : {};
    const compiler = webpack({
      mode: "production",
      target: "node18",
      entry,
      output: {
        path: dirname(outfile),
        filename: outfile.slice(dirname(outfile).length + 1),
        module: format === "esm",
      },
      ...library,
    });
    const stats = await new Promise((resolve, reject) =>
      compiler.run((error, done) => (error ? reject(error) : resolve(done))),
    );
    assert.ok(!stats.hasErrors(), stats.toString("errors-only"));
  },
  async vite({ build }, format, outfile, entry) {
    const output = { format, entryFileNames: outfile.slice(dirname(outfile).length + 1) };
    await build({
      root: app,
      configFile: false,
      logLevel: "silent",
      ssr: { noExternal: true },
      build: {
        ssr: entry,
        minify: "esbuild",
        outDir: dirname(outfile),
        emptyOutDir: false,
        rollupOptions: { output },
      },
    });
  },
};

/** The bundler of this name, if it works here. */
async function installed(name) {
  try {
    const bundler = await import(name);
    await BUNDLERS[name](bundler, "esm", join(app, "out", `${name}-trial.mjs`), TRIAL);
    return bundler;
  } catch {
    return null;
  }
}

// Before any test is there: the folder goes when all that are have ended.
const bundlers = {};
for (const name of Object.keys(BUNDLERS)) bundlers[name] = await installed(name);

for (const [name, bundle] of Object.entries(BUNDLERS)) {
  const bundler = bundlers[name];
  for (const [format, extension] of Object.entries(EXTENSIONS)) {
    const skip = bundler === null && `${name} does not work here`;
    test(
      `${name}, ${format}, minified: errors keep their names and classes`,
      { skip },
      async () => {
        const outfile = join(app, "out", `${name}.${extension}`);
        await bundle(bundler, format, outfile, ENTRY);
        const code = readFileSync(outfile, "utf8");
        assert.doesNotMatch(code, /from"speaker-sidecar"|require\("speaker-sidecar"\)/);
        const ran = spawnSync(process.execPath, [outfile, CHILD], { encoding: "utf8" });
        assert.equal(ran.status, 0, ran.stderr);
        assert.deepEqual(JSON.parse(ran.stdout), {
          dim: 4,
          name: "BadAudio",
          kind: "too_short",
          isOne: [true, true, true],
          isOther: false,
          text: "BadAudio [too_short]: the audio lasts 0.001 s",
          json: "BadAudio",
          stack: "BadAudio [too_short]: the audio lasts 0.001 s",
        });
      },
    );
  }
}

for (const [what, contents] of [
  ["the errors", 'import { restoreError } from "speaker-sidecar/errors"; restoreError(null);'],
  ["its part", readFileSync(new URL("electron_app/page.ts", import.meta.url), "utf8")],
])
  test(`a page can have ${what}: nothing of Node is needed`, async (t) => {
    const { esbuild } = bundlers;
    if (esbuild === null) return t.skip("esbuild does not work here");
    const { outputFiles } = await esbuild.build({
      stdin: { contents, resolveDir: app, loader: "ts" },
      bundle: true,
      write: false,
      platform: "browser",
      logLevel: "silent",
    });
    assert.doesNotMatch(outputFiles[0].text, /require\(|node:/);
  });
