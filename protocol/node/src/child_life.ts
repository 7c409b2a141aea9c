/** One child from its start to its end: what it says, what is due of it, and how it leaves. */

import { camelCased } from "./camel_case.js";
import type { ChildEnd, ChildListener } from "./child.js";
import { ChildWatch } from "./child_watch.js";
import type { Timer } from "./clock.js";
import type { Dispatcher } from "./dispatcher.js";
import { LastWords } from "./endings.js";
import type { ProtocolMismatch } from "./errors.js";
import type { SupervisorListener } from "./events.js";
import { encodeFrame } from "./framing.js";
import { encodeRequest, type FromChild, type Method, type Notice } from "./messages.js";
import type { WireMap } from "./payload.js";
import type { Health, Hello, Progress, RequestProgress } from "./reports.js";
import type { Leave } from "./succession.js";
import { mismatchOf, notStarted, type ChildHandle, type SupervisorOptions } from "./supervision.js";

/** What the supervisor is told of a child. */
export interface LifeListener extends Pick<
  SupervisorListener,
  "onLog" | "onProgress" | "onStream"
> {
  /** It speaks our protocol. */
  onHello(hello: Hello): void;
  /** It told it, or was asked. */
  onHealth(health: Health, wasAsked: boolean): void;
  /** It has served for long enough to count as a good one. */
  onServed(): void;
  /** Nothing comes after it. */
  onEnd(end: ChildEnd): void;
}

// A child that has served for so long is a good one, whatever came before.
const SERVED_MS = 60_000;

export class ChildLife {
  readonly lastWords: LastWords;
  mismatch: ProtocolMismatch | null = null;

  private child: ChildHandle | null = null;
  private left: Leave = null;
  private healthId: number | null = null;
  private readonly watch: ChildWatch;
  private servedTimer: Timer | null = null;

  constructor(
    private readonly options: SupervisorOptions,
    private readonly dispatcher: Dispatcher,
    private readonly listener: LifeListener,
  ) {
    this.lastWords = new LastWords(options);
    this.watch = new ChildWatch(
      options.clock,
      options,
      () => this.ping(),
      (fault, wasLoading) => {
        if (wasLoading) this.lastWords.hangsAsItLoads();
        this.child?.kill(fault);
      },
    );
  }

  get pid(): number | null {
    return this.child?.pid ?? null;
  }

  get bufferedBytes(): number {
    return this.child?.bufferedBytes ?? 0;
  }

  /** Why it ends, where we wanted that. */
  get leave(): Leave {
    return this.left ?? (this.mismatch && "refused");
  }

  start(): void {
    const { clock, startChild } = this.options;
    const listener: ChildListener = {
      onMessage: (message) => this.take(message),
      onLog: (text) => this.listener.onLog({ source: "child", text }),
      onWritable: () => this.dispatcher.pump(),
      onEnd: (end) => this.ended(end),
    };
    try {
      this.child = startChild(this.options, clock, listener);
      this.child.unref();
      this.watch.starts();
    } catch (error) {
      this.ended(notStarted(error as Error));
    }
  }

  /** Let it end, since it is closed or another one is to take its place; see `Child.end`. */
  end(why: "closed" | "replaced"): void {
    const isEnding = this.left !== null;
    this.left = why;
    if (isEnding) return;
    this.stopServing();
    this.watch.stop();
    this.child?.write(this.encode("shutdown", { drain_ms: 0 }));
    this.child?.end();
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
      if (message.type === "result") {
        this.listener.onHealth(camelCased(message.result) as Health, true);
      }
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
    this.mismatch = mismatchOf(hello);
    if (this.mismatch !== null) {
      this.child?.kill(this.mismatch.message);
      return;
    }
    if (this.left === null) {
      this.watch.loads();
      this.dispatcher.connect(this.child!, hello.limits);
    }
    this.listener.onHello(hello);
  }

  private takeHealth(health: Health): void {
    const { state } = health;
    this.lastWords.heardHealth(health);
    if (this.left === null) {
      // A later minor version may know further states: they change nothing.
      if (state === "loading") this.watch.loads();
      if (state === "ready" || state === "degraded") this.serves();
    }
    if (state === "draining" || state === "failed") this.saysThatItEnds();
    this.listener.onHealth(health, false);
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

  private serves(): void {
    this.watch.serves();
    this.servedTimer?.cancel();
    this.servedTimer = this.options.clock.setTimer(() => this.listener.onServed(), SERVED_MS);
    this.dispatcher.setReady(true);
  }

  /** Also where it only answers so. */
  saysThatItEnds(): void {
    if (this.left !== null) return;
    this.watch.ends();
    this.stopServing();
  }

  private stopServing(): void {
    this.servedTimer?.cancel();
    this.dispatcher.setReady(false);
  }

  private ended(end: ChildEnd): void {
    this.watch.stop();
    this.servedTimer?.cancel();
    this.listener.onEnd(end);
  }

  private ping(): void {
    this.healthId = this.dispatcher.takeId();
    this.child?.write(this.encode("health", {}, this.healthId));
  }

  private encode(method: Method, params: WireMap, id = this.dispatcher.takeId()): Uint8Array {
    return encodeFrame(encodeRequest(id, method, params));
  }
}
