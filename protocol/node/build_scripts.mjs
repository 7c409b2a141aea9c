// Two scripts that are loaded as files of their own, and so may load no other.

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const dist = new URL("dist/", import.meta.url);
const require = createRequire(import.meta.url);

const preload = readFileSync(new URL("preload.js", dist), "utf8");
if (/\brequire\(/.test(preload)) throw new Error("preload.ts loads another file");
const whole = preload.replace(/^\/\/# sourceMappingURL=.*$/m, "");
writeFileSync(
  new URL("preload_script.js", dist),
  `${whole.trimEnd()}\nexposeSpeaker(require("electron"));\n`,
);

const { WORKLET_CODE } = require("./dist/worklet_code.js");
writeFileSync(new URL("worklet.js", dist), WORKLET_CODE);

// Nobody imports them, but a checker of packages wants to know what that would give.
for (const name of ["preload_script", "worklet"]) {
  writeFileSync(new URL(`${name}.d.ts`, dist), "export {};\n");
}
