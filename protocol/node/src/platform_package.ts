/** The npm package that has the program for this platform; `packaging/npm_packages.py` makes it. */

import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const CLIENT = "speaker-sidecar";

/** What may have a program that runs here, the best first. */
export const PLATFORM_PACKAGES: readonly string[] = [
  `${CLIENT}-${process.platform}-${process.arch}`,
  // Windows on ARM runs programs for x64.
  ...(process.platform === "win32" && process.arch !== "x64" ? [`${CLIENT}-win32-x64`] : []),
];

/**
 * The program's folders in a packaged app. They are not looked for as Node would, in every folder
 * above, too: on Windows any user may lay a `node_modules` into the topmost one.
 */
export function packagedFolders(resourcesPath: string): string[] {
  return ["app.asar.unpacked", "app"].flatMap((app) =>
    PLATFORM_PACKAGES.map((name) => join(resourcesPath, app, "node_modules", name, CLIENT)),
  );
}

/**
 * The program's folders in those of the packages that are installed: where this client finds them,
 * or what lies in `projectFolder` does.
 */
export function installedFolders(projectFolder: string): string[] {
  // An ES module does not know its own place in this way: then it is the program's.
  const own = typeof __filename === "string" ? __filename : process.argv[1];
  const starts = [own, join(projectFolder, "package.json")];
  // pnpm lays a package beside the one that asks for it, and out of the app's reach.
  const clients = starts.map((start) => resolved(CLIENT, start));
  const found = [...starts, ...clients].flatMap((start) =>
    PLATFORM_PACKAGES.map((name) => resolved(name, start)),
  );
  const places = found.filter((path) => path !== undefined);
  return [...new Set(places.map((path) => join(dirname(path), CLIENT)))];
}

/** The `package.json` of the package `name`, as the file `start` would find it. */
function resolved(name: string, start: string | undefined): string | undefined {
  try {
    return createRequire(start ?? "").resolve(`${name}/package.json`);
  } catch {
    return undefined;
  }
}
