/** Keeps a child running: starts it, watches it, replaces it, and ends it. */

import { camelCased } from "./camel_case";
import { type Child, type ChildEnd, type ChildListener, type Command } from "./child";
import type { Clock, Timer } from "./clock";
import { childArguments } from "./command_line";
import { Dispatcher } from "./dispatcher";
import { isFinal, LastWords } from "./endings";
import { ChildGone, Closed, ProtocolMismatch } from "./errors";
import type { SupervisorListener } from "./events";
import { encodeFrame } from "./framing";
import { HealthWatch } from "./health_watch";
import { encodeRequest, PROTOCOL, type FromChild, type Method, type Notice } from "./messages";
import type { WireMap } from "./payload";
import type { Health, Hello, Progress } from "./reports";
import type { Request, RequestOptions } from "./request";
import { RestartPolicy } from "./restart_policy";

/** Durations in milliseconds; `startChild` and `clock` are others in tests. */
export interface SupervisorOptions extends Command {
  readonly restartDelaysMs: readonly number[];
  readonly healthIntervalMs: number;
  readonly healthTimeoutMs: number;
  readonly helloTimeoutMs: number;
  readonly maxPending: number;
  readonly maxPendingBytes: number;
  readonly clock: Clock;
  readonly startChild: (command: Command, clock: Clock, listener: ChildListener) => ChildHandle;
}

/** What is needed of a child here. */
export type ChildHandle = Pick<
  Child,
  "pid" | "isWritable" | "bufferedBytes" | "write" | "end" | "killIn" | "kill"
>;

// A child that has served for so long is a good one, whatever came before.
const SERVED_MS = 60_000;

export class Supervisor {
  /** Of the last child that said it. */
  hello: Hello | null = null;
  /** The last one that was told or asked for. */
  health: Health | null = null;

  private child: ChildHandle | null = null;
  private lastWords = new LastWords();
  private mismatch: ProtocolMismatch | null = null;
  private gone: Error | null = null;
  private closing: Promise<void> | null = null;
  // Once it drains no more.
  private isClosing = false;
  private healthId: number | null = null;
  private readonly dispatcher: Dispatcher;
  private readonly policy: RestartPolicy;
  private readonly watch: HealthWatch;
  private helloTimer: Timer | null = null;
  private servedTimer: Timer | null = null;
  private restartTimer: Timer | null = null;
  private onFirstHello: (() => void) | null = null;
  private onFirstFailure: ((error: Error) => void) | null = null;
  private onChildEnd: (() => void) | null = null;

  constructor(
    private readonly options: SupervisorOptions,
    private readonly listener: SupervisorListener,
  ) {
    const { clock, healthTimeoutMs } = options;
    this.policy = new RestartPolicy(options.restartDelaysMs, () => clock.random());
    this.dispatcher = new Dispatcher(options.maxPending, options.maxPendingBytes, clock, () =>
      this.policy.answered(),
    );
    this.watch = new HealthWatch(
      clock,
      options.healthIntervalMs,
      healthTimeoutMs,
      () => this.ping(),
      () => this.child?.kill(`it did not answer health within ${healthTimeoutMs} ms`),
    );
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

  /** Admit nothing more, give what is pending `drainMs`, then end the child; see `Child.end`. */
  close(drainMs: number): Promise<void> {
    this.closing ??= this.drainAndEnd(drainMs);
    return this.closing;
  }

  private async drainAndEnd(drainMs: number): Promise<void> {
    const closed = new Closed("the sidecar was closed: start another one");
    this.gone ??= closed;
    if (drainMs > 0) await this.drain(drainMs);
    this.isClosing = true;
    this.restartTimer?.cancel();
    this.watch.stop();
    this.dispatcher.rejectAll(closed);
    this.onFirstFailure?.(closed);
    const { child } = this;
    if (child === null) return;
    await new Promise<void>((resolve) => {
      this.onChildEnd = resolve;
      child.write(this.encode("shutdown", { drain_ms: 0 }));
      child.end();
    });
  }

  private drain(drainMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.options.clock.setTimer(resolve, drainMs);
      void this.dispatcher.idle().then(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  private startChild(device: "cpu" | null): void {
    const { clock, helloTimeoutMs, startChild } = this.options;
    const args = childArguments(this.options.args, process.pid, device);
    this.lastWords = new LastWords();
    this.child = startChild({ ...this.options, args }, clock, {
      onMessage: (message) => this.take(message),
      onLog: (text) => this.listener.onLog({ source: "child", text }),
      onWritable: () => this.dispatcher.pump(),
      onEnd: (end) => this.childEnded(end),
    });
    this.helloTimer = clock.setTimer(
      () => this.child?.kill(`it did not say hello within ${helloTimeoutMs} ms`),
      helloTimeoutMs,
    );
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
    if (method === "progress") this.listener.onProgress(camelCased(params) as Progress);
  }

  private takeHello(hello: Hello): void {
    this.helloTimer?.cancel();
    if (hello.protocol !== PROTOCOL) {
      this.mismatch = new ProtocolMismatch(
        `the child (${hello.name} ${hello.version}) speaks protocol ${hello.protocol}, this ` +
          `package speaks ${PROTOCOL}: install versions of the two that belong together`,
      );
      this.child?.kill(this.mismatch.message);
      return;
    }
    this.hello = hello;
    this.dispatcher.connect(this.child!, hello.limits);
    this.onFirstHello?.();
  }

  private takeHealth(health: Health): void {
    this.health = health;
    this.lastWords.heardHealth(health.state, health.reason);
    const serves = health.state === "ready" || health.state === "degraded";
    this.watch.stop();
    this.servedTimer?.cancel();
    if (serves && !this.isClosing) {
      this.watch.start();
      this.servedTimer = this.options.clock.setTimer(() => this.policy.served(), SERVED_MS);
    }
    this.dispatcher.setReady(serves);
    this.listener.onHealth(health);
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
    this.helloTimer?.cancel();
    this.servedTimer?.cancel();
    const { pid, code, signal } = end;
    const reason = this.isClosing ? "it was closed" : this.lastWords.reason(end);
    this.dispatcher.childDied(reason);
    const isDeviceFault = this.lastWords.isDeviceFault(end);
    const isLast = this.isClosing || this.mismatch !== null || isFinal(end);
    const restart = isLast ? null : this.policy.died({ isDeviceFault });
    this.listener.onExit({ pid, code, signal, reason, willRestart: restart !== null });
    if (this.isClosing) {
      this.onChildEnd?.();
    } else if (restart === null) {
      this.giveUp(reason, isLast);
    } else {
      const { delayMs, device } = restart;
      if (device !== null && isDeviceFault) {
        const text = "the device failed twice in a row: from here on the CPU serves";
        this.listener.onLog({ source: "client", text });
      }
      this.listener.onRestart({ reason, delayMs, device });
      if (restart.proveFirst) this.dispatcher.prove();
      this.restartTimer = this.options.clock.setTimer(() => this.startChild(device), delayMs);
    }
  }

  private giveUp(reason: string, atOnce: boolean): void {
    const times = atOnce ? "" : " three times, with no answer between";
    this.gone = this.mismatch ?? new ChildGone(`the sidecar ended${times}; at last: ${reason}`);
    this.dispatcher.rejectAll(this.gone);
    this.onFirstFailure?.(this.gone);
  }
}
