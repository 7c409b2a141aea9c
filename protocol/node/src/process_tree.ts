/** Ends processes with all that they started, and none outlives this one. */

import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";

const living = new Set<number>();

/** Kill the tree of `pid` if this process ends before `forget(pid)`. */
export function endWithUs(pid: number): void {
  if (living.size === 0) process.on("exit", killAll);
  living.add(pid);
}

/** The process is gone. */
export function forget(pid: number): void {
  living.delete(pid);
  if (living.size === 0) process.removeListener("exit", killAll);
}

/** Kill `pid`, which was started as the leader of a process group, and all that it started. */
export function killTree(pid: number): void {
  if (process.platform !== "win32") {
    kill(-pid);
    return;
  }
  // Where taskkill fails, the child itself ends at least; unless it was quicker, and its pid is free.
  const killAlone = () => {
    if (living.has(pid)) kill(pid);
  };
  spawn(...taskkill(pid))
    .on("error", killAlone)
    .on("exit", (code) => {
      if (code !== 0) killAlone();
    });
}

function killAll(): void {
  for (const pid of living) {
    if (process.platform !== "win32") kill(-pid);
    else if (spawnSync(...taskkill(pid)).status !== 0) kill(pid);
  }
}

function taskkill(pid: number) {
  // By its full path: Windows would look for it in the current folder, too.
  const path = join(process.env.SystemRoot ?? "C:\\Windows", "System32", "taskkill.exe");
  const options = { windowsHide: true, stdio: "ignore" } as const;
  return [path, ["/pid", String(pid), "/t", "/f"], options] as const;
}

function kill(target: number): void {
  try {
    process.kill(target, "SIGKILL");
  } catch {
    // It is gone already.
  }
}
