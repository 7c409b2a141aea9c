// Builds the package twice from one source: dist is CommonJS, dist/esm is ESM.

import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
const cwd = fileURLToPath(new URL(".", import.meta.url));

// What a deleted source has left would be packed, too.
rmSync(new URL("dist", import.meta.url), { recursive: true, force: true });
for (const project of ["tsconfig.json", "tsconfig.esm.json"]) {
  const { status } = spawnSync(process.execPath, [tsc, "-p", project], { cwd, stdio: "inherit" });
  if (status !== 0) process.exit(1);
}
await import("./build_scripts.mjs");
// The nearest package.json says what a file is.
const type = JSON.stringify({ type: "module", sideEffects: false });
writeFileSync(new URL("dist/esm/package.json", import.meta.url), `${type}\n`);
