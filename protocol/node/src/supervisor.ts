/** Keeps a child running: starts it, watches it, replaces it, and ends it. */

import { camelCased } from "./camel_case";
import { type Child, type ChildEnd, type ChildListener, type Command } from "./child";
import { ChildWatch, type ChildTimeouts } from "./child_watch";
import type { Clock, Timer } from "./clock";
import { childArguments } from "./command_line";
import { Dispatcher } from "./dispatcher";
import { isFinal, LastWords } from "./endings";
import { ChildGone, Closed, ProtocolMismatch } from "./errors";
import type { SupervisorListener } from "./events";
import { encodeFrame } from "./framing";
import { encodeRequest, PROTOCOL, type FromChild, type Method, type Notice } from "./messages";
import type { WireMap } from "./payload";
import type { Health, Hello, Progress, RequestProgress } from "./reports";
import type { Request, RequestOptions } from "./request";
import { RestartPolicy, type Restart } from "./restart_policy";

/** Durations in milliseconds; `startChild` and `clock` are others in tests. */
export interface SupervisorOptions extends Command, ChildTimeouts {
  readonly restartDelaysMs: readonly number[];
  readonly maxPending: number;
  readonly maxPendingBytes: number;
  readonly clock: Clock;
  readonly startChild: (command: Command, clock: Clock, listener: ChildListener) => ChildHandle;
}

/** What is needed of a child here. */
export type ChildHandle = Pick<
  Child,
  "pid" | "isWritable" | "bufferedBytes" | "write" | "end" | "kill"
>;

// A child that has served for so long is a good one, whatever came before.
const SERVED_MS = 60_000;

export class Supervisor {
  /** Of the last child that said it. */
  hello: Hello | null = null;
  /** The last one that was told or asked for. */
  health: Health | null = null;

  private child: ChildHandle | null = null;
  private lastWords!: LastWords;
  private mismatch: ProtocolMismatch | null = null;
  private gone: Error | null = null;
  // Once it drains no more.
  private isClosing = false;
  private healthId: number | null = null;
  private readonly dispatcher: Dispatcher;
  private readonly policy: RestartPolicy;
  private readonly watch: ChildWatch;
  private servedTimer: Timer | null = null;
  private restartTimer: Timer | null = null;
  private drainTimers: Timer[] = [];
  private onFirstHello: (() => void) | null = null;
  private onFirstFailure: ((error: Error) => void) | null = null;
  private readonly closed: Promise<void>;
  private onClosed!: () => void;

  constructor(
    private readonly options: SupervisorOptions,
    private readonly listener: SupervisorListener,
  ) {
    const { clock } = options;
    this.policy = new RestartPolicy(options.restartDelaysMs, () => clock.random());
    this.dispatcher = new Dispatcher(options.maxPending, options.maxPendingBytes, clock, {
      onAnswered: () => this.policy.answered(),
      onEnding: () => this.childEnds(),
    });
    this.watch = new ChildWatch(
      clock,
      options,
      () => this.ping(),
      (fault, wasLoading) => {
        if (wasLoading) this.lastWords.hangsAsItLoads();
        this.child?.kill(fault);
      },
    );
    this.closed = new Promise((resolve) => (this.onClosed = resolve));
  }

  get pid(): number | null {
    return this.child?.pid ?? null;
  }

  /** Bytes that were written and that the child has not taken yet. */
  get bufferedBytes(): number {
    return this.child?.bufferedBytes ?? 0;
  }

  /** Requests without an answer. */
  get nPending(): number {
    return this.dispatcher.nPending;
  }

  /**
   * Start the first child; resolves once one has said hello.
   *
   * @throws {ChildGone} none did.
   */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.onFirstHello = resolve;
      this.onFirstFailure = reject;
      this.startChild(null);
    });
  }

  /**
   * Ask for `method`; the request's `answer` settles once.
   *
   * @throws {ChildGone} no child serves any more.
   * @throws {Closed} `close` was called.
   */
  submit(method: Method, params: WireMap, options: RequestOptions): Request {
    if (this.gone !== null) throw this.gone;
    return this.dispatcher.submit(method, params, options);
  }

  /** Reject `request` with `error`, and let the child drop it. */
  withdraw(request: Request, error: Error): void {
    this.dispatcher.withdraw(request, error);
  }

  /**
   * Admit nothing more, give what is pending `drainMs`, then end the child; see `Child.end`. A later
   * call may shorten the time, not lengthen it.
   */
  close(drainMs: number): Promise<void> {
    this.gone ??= closedError();
    if (drainMs <= 0) {
      this.end();
    } else if (!this.isClosing) {
      this.drainTimers.push(this.options.clock.setTimer(() => this.end(), drainMs));
      void this.dispatcher.idle().then(() => this.end());
    }
    return this.closed;
  }

  private end(): void {
    if (this.isClosing) return;
    this.isClosing = true;
    this.drainTimers.forEach((timer) => timer.cancel());
    this.restartTimer?.cancel();
    this.watch.stop();
    const error = closedError();
    this.dispatcher.rejectAll(error);
    this.onFirstFailure?.(error);
    if (this.child === null) {
      this.onClosed();
    } else {
      this.child.write(this.encode("shutdown", { drain_ms: 0 }));
      this.child.end();
    }
  }

  private startChild(device: "cpu" | null): void {
    const { command, clock, startChild } = this.options;
    const args = childArguments(this.options.args, process.pid, device);
    this.lastWords = new LastWords(command);
    try {
      this.child = startChild({ ...this.options, args }, clock, {
        onMessage: (message) => this.take(message),
        onLog: (text) => this.listener.onLog({ source: "child", text }),
        onWritable: () => this.dispatcher.pump(),
        onEnd: (end) => this.childEnded(end),
      });
      this.watch.starts();
    } catch (error) {
      this.childEnded(notStarted(error as Error));
    }
  }

  private take(message: FromChild): void {
    if (message.type === "notice") {
      this.takeNotice(message);
    } else if (message.id === null) {
      const text = message.type === "failure" ? message.error.message : "";
      this.listener.onLog({ source: "client", text: `the child refused a frame: ${text}` });
    } else if (message.id === this.healthId) {
      this.healthId = null;
      this.watch.answered();
      if (message.type === "result") this.health = camelCased(message.result) as Health;
    } else {
      this.dispatcher.take(message, this.lastWords);
    }
  }

  private takeNotice({ method, params }: Notice): void {
    if (method === "hello") this.takeHello(camelCased(params) as Hello);
    if (method === "health") this.takeHealth(camelCased(params) as Health);
    if (method === "progress") this.takeProgress(params);
    if (method.startsWith("stream_")) this.listener.onStream(method, params);
  }

  private takeHello(hello: Hello): void {
    if (hello.protocol !== PROTOCOL) {
      this.mismatch = new ProtocolMismatch(
        `the child (${hello.name} ${hello.version}) speaks protocol ${hello.protocol}, this ` +
          `package speaks ${PROTOCOL}: install versions of the two that belong together`,
      );
      this.child?.kill(this.mismatch.message);
      return;
    }
    this.hello = hello;
    if (!this.isClosing) this.watch.loads();
    this.dispatcher.connect(this.child!, hello.limits);
    this.onFirstHello?.();
  }

  private takeHealth(health: Health): void {
    this.health = health;
    this.lastWords.heardHealth(health.state, health.reason);
    this.listener.onHealth(health);
    if (this.isClosing) return;
    // A later minor version may know further states: they change nothing.
    if (health.state === "loading") this.watch.loads();
    if (health.state === "ready" || health.state === "degraded") this.childServes();
    if (health.state === "draining" || health.state === "failed") this.childEnds();
  }

  private takeProgress({ id, ...progress }: WireMap): void {
    if (id === undefined) {
      this.watch.progressed();
      this.listener.onProgress(camelCased(progress) as Progress);
    } else {
      // Of no use to the watch: a child that works answers `health` all the same.
      this.dispatcher.takeProgress(id, camelCased(progress) as RequestProgress);
    }
  }

  private childServes(): void {
    this.watch.serves();
    this.servedTimer?.cancel();
    this.servedTimer = this.options.clock.setTimer(() => this.policy.served(), SERVED_MS);
    this.dispatcher.setReady(true);
  }

  private childEnds(): void {
    this.watch.ends();
    this.servedTimer?.cancel();
    this.dispatcher.setReady(false);
  }

  private ping(): void {
    this.healthId = this.dispatcher.takeId();
    this.child?.write(this.encode("health", {}, this.healthId));
  }

  private encode(method: Method, params: WireMap, id = this.dispatcher.takeId()): Uint8Array {
    return encodeFrame(encodeRequest(id, method, params));
  }

  private childEnded(end: ChildEnd): void {
    this.child = null;
    this.watch.stop();
    this.servedTimer?.cancel();
    const { pid, code, signal } = end;
    const reason = this.isClosing ? "it was closed" : this.lastWords.reason(end);
    this.dispatcher.childDied(reason);
    const isDeviceFault = this.lastWords.isDeviceFault(end);
    const isLast = this.isClosing || this.mismatch !== null || isFinal(end);
    const restart = isLast ? null : this.restartAfter(end, isDeviceFault);
    this.listener.onExit({ pid, code, signal, reason, willRestart: restart !== null });
    if (this.isClosing) {
      this.onClosed();
    } else if (restart === null) {
      this.giveUp(reason, isLast || end.spawnError !== null);
    } else {
      const { delayMs, device } = restart;
      if (device !== null && isDeviceFault) {
        const text = "the device failed or hung twice in a row: from here on the CPU serves";
        this.listener.onLog({ source: "client", text });
      }
      this.listener.onRestart({ reason, delayMs, device });
      if (restart.proveFirst) this.dispatcher.prove();
      this.restartTimer = this.options.clock.setTimer(() => this.startChild(device), delayMs);
    }
  }

  private restartAfter({ spawnError }: ChildEnd, isDeviceFault: boolean): Restart | null {
    return spawnError === null ? this.policy.died({ isDeviceFault }) : this.policy.notStarted();
  }

  private giveUp(reason: string, atOnce: boolean): void {
    const times = atOnce ? "" : "it ended three times, with no answer between; at last: ";
    this.gone = this.mismatch ?? new ChildGone(`no sidecar serves: ${times}${reason}`);
    this.dispatcher.rejectAll(this.gone);
    this.onFirstFailure?.(this.gone);
  }
}

function closedError(): Closed {
  return new Closed("the sidecar was closed: start another one");
}

function notStarted(spawnError: Error): ChildEnd {
  return { pid: null, code: null, signal: null, fault: null, spawnError, lastLines: [] };
}
