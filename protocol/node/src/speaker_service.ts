/** The sidecar of an app that lives without it, too: it may be starting, serving, or out of order. */

import type { SentError } from "./bridge.js";
import { Closed } from "./errors.js";
import type { SidecarState } from "./events.js";
import type { Health, Progress } from "./reports.js";
import { sentError } from "./sent_error.js";
import type { SpeakerSidecar } from "./sidecar.js";

/** What an app's sidecar is doing, as its pages are told. */
export interface ServiceReport {
  /** As `SpeakerSidecar.state`; `failed`, too, where none could be started. */
  readonly state: SidecarState;
  /** How far the start is; null: nothing is known of that, or it has started. */
  readonly progress: Progress | null;
  /** What the child last said of its device and model; null: nothing so far. */
  readonly health: Health | null;
  /** Why it has failed; null: it has not. */
  readonly error: SentError | null;
}

/**
 * Starts the sidecar: by `SpeakerSidecar.start`, to which it passes `how`. It settles soon once
 * `signal` is aborted: `close` waits for that.
 */
export type StartSidecar = (how: { readonly signal: AbortSignal }) => Promise<SpeakerSidecar>;

/**
 * It starts at once, and starts again when it is asked to; what goes wrong is reported, and rejects
 * the calls that need it. `closeBeforeQuit` and `serveSpeaker` take it in place of a sidecar.
 */
export class SpeakerService {
  private readonly listeners = new Set<(report: ServiceReport) => void>();
  private running: SpeakerSidecar | null = null;
  private starting: Promise<SpeakerSidecar>;
  private controller = new AbortController();
  private told: ServiceReport = { state: "starting", progress: null, health: null, error: null };

  constructor(private readonly startSidecar: StartSidecar) {
    this.starting = this.start();
  }

  /** What it is doing. */
  get report(): ServiceReport {
    return this.told;
  }

  /** As in `report`. */
  get state(): SidecarState {
    return this.told.state;
  }

  /**
   * The sidecar, once its child has said hello; calls wait until its model is loaded.
   *
   * @throws {Error} it could not be started, and this is why; `restart` tries again.
   */
  get sidecar(): Promise<SpeakerSidecar> {
    return this.starting;
  }

  /** Tell `listener` each new report; what is returned ends that. */
  onReport(listener: (report: ServiceReport) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Start it once more, if it has failed; how that went is reported, and not thrown. */
  async restart(): Promise<void> {
    if (this.state !== "failed") return;
    if (this.running !== null) return this.running.restart().catch(() => undefined);
    this.starting = this.start();
    await this.starting.catch(() => undefined);
  }

  /** End it, also while it starts. */
  async close(): Promise<void> {
    this.controller.abort(new Closed("the app closes its sidecar"));
    const sidecar = await this.starting.catch(() => null);
    await sidecar?.close();
    this.tell({ state: "closed", progress: null, error: null });
  }

  private start(): Promise<SpeakerSidecar> {
    this.controller = new AbortController();
    this.tell({ state: "starting", progress: null, error: null });
    const { signal } = this.controller;
    // Also where it throws before it has promised anything.
    const started = Promise.resolve({ signal }).then(this.startSidecar);
    started.then(
      (sidecar) => this.follow(sidecar),
      (error: unknown) => {
        if (!signal.aborted) this.tell({ state: "failed", error: sentError(error) });
      },
    );
    return started;
  }

  private follow(sidecar: SpeakerSidecar): void {
    this.running = sidecar;
    sidecar
      .on("state", () => this.look(sidecar))
      .on("health", () => this.look(sidecar))
      .on("progress", (progress) => this.tell({ progress }));
    this.look(sidecar);
  }

  private look(sidecar: SpeakerSidecar): void {
    const { state, lastHealth: health } = sidecar;
    if (state !== "failed") return this.tell({ state, health, progress: null, error: null });
    // It is rejected with what every call is.
    sidecar.health().catch((error: unknown) => {
      if (sidecar.state === state) this.tell({ state, progress: null, error: sentError(error) });
    });
  }

  private tell(news: Partial<ServiceReport>): void {
    this.told = { ...this.told, ...news };
    for (const listener of [...this.listeners]) listener(this.told);
  }
}
