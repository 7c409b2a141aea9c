/** Ends processes with all that they started, and none outlives this one. */

import type { ChildProcess } from "node:child_process";

const living = new Set<ChildProcess>();

/** Kill the tree of `child` if this process ends before `forget(child)`. */
export function endWithUs(child: ChildProcess): void {
  if (living.size === 0) process.on("exit", killAll);
  living.add(child);
}

/** The process is gone. */
export function forget(child: ChildProcess): void {
  living.delete(child);
  if (living.size === 0) process.removeListener("exit", killAll);
}

/**
 * Kill `child` and all that it started: its process group, which it leads. On Windows a sidecar
 * keeps what it starts in a job, which ends with it.
 */
export function killTree(child: ChildProcess): void {
  if (process.platform === "win32") {
    child.kill("SIGKILL");
    return;
  }
  try {
    process.kill(-child.pid!, "SIGKILL");
  } catch {
    // It is gone already.
  }
}

function killAll(): void {
  for (const child of living) killTree(child);
}
