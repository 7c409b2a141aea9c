/** Ends processes with all that they started, and none outlives this one. */

import { spawn, spawnSync } from "node:child_process";

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
  if (process.platform === "win32") {
    spawn("taskkill", ["/pid", String(pid), "/t", "/f"], { windowsHide: true, stdio: "ignore" })
      // Without taskkill at least the child itself ends.
      .on("error", () => kill(pid));
  } else {
    kill(-pid);
  }
}

function killAll(): void {
  for (const pid of living) {
    if (process.platform === "win32") {
      const options = { windowsHide: true, stdio: "ignore" } as const;
      spawnSync("taskkill", ["/pid", String(pid), "/t", "/f"], options);
    } else {
      kill(-pid);
    }
  }
}

function kill(target: number): void {
  try {
    process.kill(target, "SIGKILL");
  } catch {
    // It is gone already.
  }
}
