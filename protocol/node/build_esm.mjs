// Says that dist/esm holds ESM: beside it the package is CommonJS.

import { writeFileSync } from "node:fs";

const folder = new URL("dist/esm/", import.meta.url);
writeFileSync(new URL("package.json", folder), '{ "type": "module", "sideEffects": false }\n');
