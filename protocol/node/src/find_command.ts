/** Where the sidecar's program is: in development, and in a packaged app. */

import { accessSync, constants, existsSync, statSync } from "node:fs";
import { basename, delimiter, dirname, join, resolve } from "node:path";

import { CommandNotFound } from "./errors.js";

/** Where to look. In an Electron app `findCommand()` needs none of these. */
export interface FindOptions {
  /** Electron's `app.isPackaged`. Default: whether this runs in an Electron that was packaged. */
  readonly isPackaged?: boolean | undefined;
  /** Default: `process.resourcesPath`, which Electron sets. */
  readonly resourcesPath?: string | undefined;
  /** The program's folder in a packaged app, below `resourcesPath`. Default: `speaker-sidecar`. */
  readonly folder?: string | undefined;
  /**
   * The Python to start it with, as `python -m sidecar`. It counts wherever this runs, unless
   * `isPackaged` is true.
   */
  readonly python?: string | undefined;
  /** In development: whose `.venv`, or whose parents', to look in. Default: the current folder. */
  readonly projectFolder?: string | undefined;
}

/** What `SpeakerSidecar.start` starts; append options of `serve` to `args`. */
export interface FoundCommand {
  readonly command: string;
  readonly args: string[];
}

/** What Electron adds to `process`. */
interface ElectronProcess {
  readonly resourcesPath?: string;
  /** Set where Electron runs an app that is not packaged. */
  readonly defaultApp?: boolean;
}

const NAME = "speaker-sidecar";
const ON_WINDOWS = process.platform === "win32";
const PROGRAM = ON_WINDOWS ? `${NAME}.exe` : NAME;
// Electron's own program, and on macOS those of its utility processes.
const ELECTRON = /^electron( helper( \(.*\))?)?(\.exe)?$/i;

/**
 * The command that starts a sidecar. A packaged app's is in its resources, beside `app.asar` and
 * never inside of it, where no program can be started; otherwise it is what pip installed: into a
 * `.venv` of the project or of a folder above it, or onto the PATH.
 *
 * @throws {CommandNotFound} it is not there; the message says what was looked for.
 */
export function findCommand(options: FindOptions = {}): FoundCommand {
  const { python } = options;
  if (python !== undefined && options.isPackaged !== true) {
    return { command: python, args: ["-m", "sidecar"] };
  }
  const resourcesPath = options.resourcesPath ?? (process as ElectronProcess).resourcesPath;
  // Whoever names the resources means them.
  const isPackaged =
    options.isPackaged ?? (options.resourcesPath !== undefined || isPackagedApp(resourcesPath));
  const places = isPackaged
    ? packagedPlaces(resourcesPath, options.folder ?? NAME)
    : developmentPlaces(resolve(options.projectFolder ?? "."));
  const faults: string[] = [];
  for (const place of places) {
    const fault = faultOf(place);
    if (fault === null) return { command: place, args: [] };
    faults.push(`${place} (${fault})`);
  }
  const advice = isPackaged
    ? "put the bundle's folder into the app with electron-builder's extraResources"
    : "install it with pip into a .venv of the project, or name a Python that has it in `python`";
  throw new CommandNotFound(`${NAME} was not found; ${advice}. Looked for: ${faults.join(", ")}`);
}

/**
 * Whether this runs in an app, and not in the Electron that npm installed. Only the main process of
 * that one has `defaultApp`: a utility process is told by its program, or by the app that lies in
 * the resources of such an Electron, and of no other.
 */
function isPackagedApp(resourcesPath: string | undefined): boolean {
  if (resourcesPath === undefined) return false;
  return !(
    (process as ElectronProcess).defaultApp === true ||
    ELECTRON.test(basename(process.execPath)) ||
    existsSync(join(resourcesPath, "default_app.asar"))
  );
}

function packagedPlaces(resourcesPath: string | undefined, folder: string): string[] {
  if (resourcesPath === undefined) {
    throw new CommandNotFound(
      "the app is packaged, but process.resourcesPath is not set: pass it in `resourcesPath`",
    );
  }
  // Electron shows an archive as a folder, but the system cannot start what is in it.
  const place = resolve(resourcesPath, folder, PROGRAM);
  return [place.replace(/\.asar(?=[\\/])/g, ".asar.unpacked")];
}

function developmentPlaces(projectFolder: string): string[] {
  const places: string[] = [];
  for (let folder = projectFolder; ; folder = dirname(folder)) {
    places.push(join(folder, ".venv", ON_WINDOWS ? "Scripts" : "bin", PROGRAM));
    if (dirname(folder) === folder) break;
  }
  const onPath = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  return [...places, ...onPath.map((folder) => join(folder, PROGRAM))];
}

/** Why `path` cannot be started; null: it can. */
function faultOf(path: string): string | null {
  try {
    if (!statSync(path).isFile()) return "no file";
  } catch {
    return "not there";
  }
  try {
    accessSync(path, constants.X_OK);
  } catch {
    return "not executable";
  }
  return null;
}
