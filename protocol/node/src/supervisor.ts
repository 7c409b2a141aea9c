/** Keeps a child running: starts one, replaces it, and ends it. */

import type { ChildEnd } from "./child.js";
import { ChildLife } from "./child_life.js";
import type { Timer } from "./clock.js";
import { childArguments } from "./command_line.js";
import { Dispatcher } from "./dispatcher.js";
import type { SidecarState, SupervisorListener } from "./events.js";
import { LoopHold } from "./loop_hold.js";
import type { Method } from "./messages.js";
import type { WireMap } from "./payload.js";
import type { Health, Hello } from "./reports.js";
import type { Request, RequestOptions } from "./request.js";
import type { Restart } from "./restart_policy.js";
import { Succession } from "./succession.js";
import { Arrivals, closedError, type SupervisorOptions } from "./supervision.js";

export class Supervisor {
  /** Of the last child that said it. */
  hello: Hello | null = null;
  /** The last one that was told or asked for. */
  health: Health | null = null;
  state: SidecarState = "closed";

  private life: ChildLife | null = null;
  private gone: Error | null = null;
  private readonly dispatcher: Dispatcher;
  private readonly succession: Succession;
  private readonly hold: LoopHold;
  private readonly arrivals = new Arrivals();
  private replacement: Promise<void> | null = null;
  private restartTimer: Timer | null = null;
  private drainTimers: Timer[] = [];
  private closed: Promise<void> | null = null;
  private onClosed: () => void = () => undefined;

  constructor(
    private readonly options: SupervisorOptions,
    private readonly listener: SupervisorListener,
  ) {
    const { clock, restartDelaysMs, maxPending, maxPendingBytes } = options;
    this.hold = new LoopHold(clock);
    this.succession = new Succession(restartDelaysMs, () => clock.random(), options.onExit);
    this.dispatcher = new Dispatcher(maxPending, maxPendingBytes, clock, {
      onAnswered: () => this.succession.policy.answered(),
      onEnding: () => this.life?.saysThatItEnds(),
    });
  }

  get pid(): number | null {
    return this.life?.pid ?? null;
  }

  /** Bytes that were written and that the child has not taken yet. */
  get bufferedBytes(): number {
    return this.life?.bufferedBytes ?? 0;
  }

  /** Requests without an answer. */
  get nPending(): number {
    return this.dispatcher.nPending;
  }

  /**
   * Start the first child; resolves once one has said hello.
   *
   * @throws {SidecarError} none did: `ChildGone`, or what it could not load for.
   */
  start(): Promise<void> {
    const arrival = this.arrivals.next();
    this.startChild(null);
    return arrival;
  }

  /** Another child, whatever became of the ones before; resolves at its hello. */
  restart(): Promise<void> {
    this.replacement ??= this.replace().finally(() => (this.replacement = null));
    return this.replacement;
  }

  private async replace(): Promise<void> {
    if (this.closed !== null) await this.end();
    const arrival = this.arrivals.next();
    this.succession.policy.reset();
    this.restartTimer?.cancel();
    this.gone = this.closed = null;
    if (this.life === null) {
      this.startChild(null);
    } else {
      this.enter("restarting");
      this.life.end("replaced");
    }
    return arrival;
  }

  /**
   * Ask for `method`; the request's `answer` settles once.
   *
   * @throws {SidecarError} no child serves any more, or `close` was called (`Closed`).
   */
  submit(method: Method, params: WireMap, options: RequestOptions): Request {
    if (this.gone !== null) throw this.gone;
    const request = this.dispatcher.submit(method, params, options);
    this.hold.during(request.answer);
    return request;
  }

  /** Reject `request` with `error`, and let the child drop it. */
  withdraw(request: Request, error: Error): void {
    this.dispatcher.withdraw(request, error);
  }

  /** Whether the process may end although a child serves; calls keep it in any case. */
  set unref(isUnref: boolean) {
    this.hold.unref = isUnref;
  }

  /**
   * Admit nothing more, give what is pending `drainMs`, then end the child; see `Child.end`. A later
   * call may shorten the time, not lengthen it.
   */
  close(drainMs: number): Promise<void> {
    this.gone ??= closedError();
    if (drainMs <= 0) return this.end();
    if (!this.isClosing) {
      this.drainTimers.push(this.options.clock.setTimer(() => this.end(), drainMs));
      void this.dispatcher.idle().then(() => this.end());
    }
    return this.closing();
  }

  /** Once it drains no more. */
  private get isClosing(): boolean {
    return this.state === "closing" || this.state === "closed";
  }

  private closing(): Promise<void> {
    this.closed ??= new Promise((resolve) => (this.onClosed = resolve));
    return this.closed;
  }

  private end(): Promise<void> {
    const closed = this.closing();
    if (this.isClosing) return closed;
    this.enter("closing");
    this.drainTimers.splice(0).forEach((timer) => timer.cancel());
    this.restartTimer?.cancel();
    this.rejectAll(closedError());
    if (this.life === null) this.ended();
    else this.life.end("closed");
    return closed;
  }

  private ended(): void {
    this.enter("closed");
    this.hold.serving = false;
    this.onClosed();
  }

  private enter(state: SidecarState): void {
    if (state === this.state) return;
    this.state = state;
    this.listener.onState(state);
  }

  private startChild(device: "cpu" | null): void {
    const args = childArguments(this.options.args, process.pid, device);
    this.hold.serving = true;
    this.enter("starting");
    const life = new ChildLife({ ...this.options, args }, this.dispatcher, {
      onLog: (line) => this.listener.onLog(line),
      onProgress: (progress) => this.listener.onProgress(progress),
      onStream: (method, params) => this.listener.onStream(method, params),
      onServed: () => this.succession.policy.served(),
      onHello: (hello) => this.takeHello(hello, life),
      onHealth: (health, wasAsked) => this.takeHealth(health, wasAsked, life),
      onEnd: (end) => this.childEnded(end, life),
    });
    this.life = life;
    life.start();
  }

  private takeHello(hello: Hello, { leave }: ChildLife): void {
    this.hello = hello;
    if (leave !== null) return;
    this.enter("loading");
    this.arrivals.arrived();
  }

  private takeHealth(health: Health, wasAsked: boolean, { leave, lastWords }: ChildLife): void {
    this.health = health;
    if (wasAsked) return;
    const { state } = health;
    if (leave === null && (state === "ready" || state === "degraded")) this.enter(state);
    this.listener.onHealth(health);
    if (leave === null && lastWords.permanentFault !== null) this.giveUp(lastWords.permanentFault);
  }

  private childEnded(end: ChildEnd, { lastWords, leave, mismatch }: ChildLife): void {
    const { restart, exit, isTiredOut } = this.succession.after(end, lastWords, leave);
    this.life = null;
    this.dispatcher.childDied(exit.reason, { isBlameless: leave === "replaced" });
    this.listener.onExit(exit);
    if (this.isClosing) {
      this.ended();
    } else if (restart !== null) {
      this.startIn(restart, exit.reason, lastWords.isDeviceFault(end));
    } else {
      const times = isTiredOut ? "it ended three times, with no answer between; at last: " : "";
      const message = `no sidecar serves: ${times}${exit.reason}`;
      this.giveUp(mismatch ?? lastWords.permanentFault ?? lastWords.error(end, message));
      this.hold.serving = false;
    }
  }

  private startIn({ delayMs, device, proveFirst }: Restart, reason: string, byDevice: boolean) {
    // What was given up is not, if the app decided so.
    if (this.closed === null) this.gone = null;
    this.enter("restarting");
    if (device !== null && byDevice) {
      const text = "the device failed or hung twice in a row: from here on the CPU serves";
      this.listener.onLog({ source: "client", text });
    }
    this.listener.onRestart({ reason, delayMs, device });
    if (proveFirst) this.dispatcher.prove();
    const start = () => this.startChild(device);
    this.restartTimer = this.options.clock.setTimer(start, delayMs);
  }

  private giveUp(error: Error): void {
    this.gone = error;
    this.enter("failed");
    this.rejectAll(error);
  }

  private rejectAll(error: Error): void {
    this.dispatcher.rejectAll(error);
    this.arrivals.failed(error);
  }
}
