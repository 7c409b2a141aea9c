/** One child process: frames in, messages out, and its end. It knows nothing of requests. */

import { spawn, type ChildProcess } from "node:child_process";
import { StringDecoder } from "node:string_decoder";
import { isMainThread } from "node:worker_threads";

import type { Clock, Timer } from "./clock.js";
import { FrameDecoder } from "./framing.js";
import { FrameWriter } from "./frame_writer.js";
import { decodeFromChild, type FromChild } from "./messages.js";
import { endWithUs, forget, killTree } from "./process_tree.js";

/** Milliseconds that a child has to end by itself, once its input is closed. */
export const GRACE_MS = 2_000;

// Answers may still be in the pipe when the process is gone, but a grandchild may hold it open.
const READ_AFTER_EXIT_MS = 500;
// A process that hangs in a driver cannot be killed: we go on without it.
const KILLED_MS = 5_000;
const MAX_LINE_CHARS = 8_192;
const N_LAST_LINES = 6;

/** What to start. */
export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string | undefined;
  readonly env?: NodeJS.ProcessEnv | undefined;
}

/** How a child ended. */
export interface ChildEnd {
  readonly pid: number | null;
  /** Null if a signal ended it, or if it could not be started. */
  readonly code: number | null;
  readonly signal: string | null;
  /** Why we ended it. */
  readonly fault: string | null;
  /** Why it could not be started; null: it ran. */
  readonly spawnError: NodeJS.ErrnoException | null;
  /** The last lines of its log. */
  readonly lastLines: readonly string[];
}

/** What a child tells; nothing comes after `onEnd`. */
export interface ChildListener {
  onMessage(message: FromChild): void;
  onLog(line: string): void;
  /** It takes frames again. */
  onWritable(): void;
  onEnd(end: ChildEnd): void;
}

interface Unref {
  unref?(): void;
}

// On Linux a child whose parent's pid this is lets the system kill it with the thread that started
// it, even where it is stopped. Another thread than the main one may end before its process does.
const PARENT_VARIABLE = "SPEAKER_SIDECAR_PARENT";

export class Child {
  private readonly process: ChildProcess;
  private readonly decoder = new FrameDecoder();
  private readonly lastLines: string[] = [];
  private fault: string | null = null;
  private timer: Timer | null = null;
  private hasEnded = false;
  private readonly writer: FrameWriter | null;

  /** @throws {Error} it cannot be started; most such errors come as an end, some at once. */
  constructor(
    { command, args, cwd, env }: Command,
    private readonly clock: Clock,
    private readonly listener: ChildListener,
  ) {
    this.process = spawn(command, [...args], {
      cwd,
      env: childEnvironment(env ?? process.env),
      stdio: ["pipe", "pipe", "pipe"],
      windowsHide: true,
      // Its own process group, so that one kill reaches all; on Windows that would open a console.
      detached: process.platform !== "win32",
    });
    if (this.process.pid !== undefined) endWithUs(this.process);
    const { stdin } = this.process;
    this.writer = stdin
      ? new FrameWriter(stdin, () => {
          if (!this.hasEnded) this.listener.onWritable();
        })
      : null;
    this.listen();
  }

  get pid(): number | null {
    return this.process.pid ?? null;
  }

  /** Whether a frame can be written without piling up; `onWritable` tells when it can again. */
  get isWritable(): boolean {
    return this.writer?.isEmpty === true && !this.hasEnded;
  }

  /** Bytes that the child has not taken yet. */
  get bufferedBytes(): number {
    return this.writer?.bufferedBytes ?? 0;
  }

  /** Write `frame`, also where `isWritable` is false. */
  write(frame: Uint8Array): void {
    if (!this.hasEnded) this.writer?.write(frame);
  }

  /** Let the event loop end although this child runs. */
  unref(): void {
    this.process.unref();
    const { stdin, stdout, stderr } = this.process;
    // Pipes are sockets here, which the types do not tell.
    for (const stream of [stdin, stdout, stderr] as (Unref | null)[]) stream?.unref?.();
  }

  /** Close its input; if it has not ended within `GRACE_MS`, kill it. */
  end(): void {
    this.writer?.end();
    this.killIn(GRACE_MS, null);
  }

  /** Kill it unless it ends by itself within `delayMs`; `fault` says why. */
  killIn(delayMs: number, fault: string | null): void {
    this.timer?.cancel();
    this.timer = this.clock.setTimer(() => this.kill(fault), delayMs);
  }

  /** Kill it and all that it started; `fault` says why. */
  kill(fault: string | null): void {
    if (this.hasEnded) return;
    this.fault ??= fault;
    if (this.process.pid !== undefined) killTree(this.process);
    const { exitCode, signalCode } = this.process;
    if (exitCode === null && signalCode === null) this.finishIn(KILLED_MS);
  }

  private listen(): void {
    const { stdin, stdout, stderr } = this.process;
    // The process is ending: its exit tells more.
    for (const stream of [stdin, stdout, stderr]) stream?.on("error", () => undefined);
    stdout?.on("data", (data: Buffer) => this.read(data));
    this.readLines(stderr);
    this.process.on("error", (error) => {
      if (this.process.pid === undefined) this.finish(null, null, error);
    });
    this.process.on("exit", (code, signal) => {
      // Also what it started, should it have left something behind.
      killTree(this.process);
      this.finishIn(READ_AFTER_EXIT_MS, code, signal);
    });
    this.process.on("close", (code, signal) => this.finish(code, signal));
  }

  private read(data: Buffer): void {
    if (this.hasEnded || this.fault !== null) return;
    try {
      for (const payload of this.decoder.feed(data)) {
        this.listener.onMessage(decodeFromChild(payload));
        if (this.hasEnded || this.fault !== null) return;
      }
    } catch (error) {
      // Whatever it is, the output is at fault: maps that lack what the protocol demands, too.
      const fault = error instanceof Error ? error.message : String(error);
      this.kill(`its output is not of this protocol: ${fault}`);
    }
  }

  private readLines(stderr: NodeJS.ReadableStream | null): void {
    const decoder = new StringDecoder("utf8");
    let rest = "";
    stderr?.on("data", (data: Buffer) => {
      const lines = (rest + decoder.write(data)).split(/\r?\n/);
      rest = lines.pop() ?? "";
      if (rest.length > MAX_LINE_CHARS) {
        lines.push(rest);
        rest = "";
      }
      lines.forEach((line) => this.log(line));
    });
    stderr?.on("end", () => {
      if (rest !== "") this.log(rest);
    });
  }

  private log(line: string): void {
    if (line.trim() === "" || this.hasEnded) return;
    const cut = line.slice(0, MAX_LINE_CHARS);
    this.lastLines.push(cut);
    if (this.lastLines.length > N_LAST_LINES) this.lastLines.shift();
    this.listener.onLog(cut);
  }

  private finishIn(delayMs: number, code: number | null = null, signal: string | null = null) {
    this.timer?.cancel();
    this.timer = this.clock.setTimer(() => this.finish(code, signal), delayMs);
  }

  private finish(
    code: number | null,
    signal: string | null,
    spawnError: NodeJS.ErrnoException | null = null,
  ): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.timer?.cancel();
    const { pid = null, stdin, stdout, stderr } = this.process;
    forget(this.process);
    for (const stream of [stdin, stdout, stderr]) stream?.destroy();
    const { fault, lastLines } = this;
    this.listener.onEnd({ pid, code, signal, fault, spawnError, lastLines });
  }
}

function childEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return isMainThread ? { ...env, [PARENT_VARIABLE]: String(process.pid) } : env;
}
