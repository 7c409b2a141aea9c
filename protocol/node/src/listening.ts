/// <reference lib="dom" />
/** A page's microphone, heard: who speaks, as they speak. */

import { bridgeOf, errorOf, valueOf } from "./answers.js";
import type { News } from "./bridge.js";
import type { DiarizeResult } from "./diarization_reports.js";
import type { LiveCloseOptions, LiveLag, LiveRestart, LiveTurn } from "./live_reports.js";
import {
  MICROPHONE_RATE_HZ,
  openMicrophone,
  type MicrophoneLevel,
  type MicrophoneOptions,
} from "./microphone.js";
import { speaking, type Speaking } from "./speaking.js";

/** Options of `listen`. */
export interface ListenOptions extends MicrophoneOptions {
  /** Ask the gallery who the speakers are. Default: false. */
  readonly identify?: boolean | undefined;
  /** Something of a turn is news. */
  onTurn?(turn: LiveTurn): void;
  /** Who speaks now is news: one entry for each voice, none while nobody speaks. */
  onSpeaking?(speaking: readonly Speaking[]): void;
  /** What the microphone gives: 100 ms of mono at `MICROPHONE_RATE_HZ`, which are yours to keep. */
  onSamples?(samples: Float32Array): void;
  /** How loud that is. */
  onLevel?(level: MicrophoneLevel): void;
  /** All was heard up to there, in seconds; told about four times a second. */
  onHeard?(heardS: number): void;
  onLag?(lag: LiveLag): void;
  onRestarted?(restart: LiveRestart): void;
  /**
   * It has ended with this error, and so does `close`. Only where the microphone is gone (a
   * `DOMException`), `close` gives what was heard until then.
   */
  onError?(error: Error): void;
}

/** The microphone is heard. */
export interface Listening {
  /** The microphone's name. */
  readonly label: string;
  /** What is known of each turn, in the order in which they were noticed. */
  readonly turns: readonly LiveTurn[];
  /** End it: who spoke when, in hindsight. */
  close(options?: Omit<LiveCloseOptions, "signal">): Promise<DiarizeResult>;
  /** End it without a result. */
  stop(): Promise<void>;
}

/** Open the microphone, and tell who speaks. See `openMicrophone` for what it throws. */
export async function listen(options: ListenOptions = {}): Promise<Listening> {
  const bridge = bridgeOf();
  const turns = new Map<number, LiveTurn>();
  let heardS = 0;
  let speakingTold = "[]";
  let failure: Error | null = null;
  let microphone: { close(): Promise<void> } | null = null;

  function fail(error: Error): void {
    if (failure !== null) return;
    failure = error;
    void microphone?.close();
    options.onError?.(error);
  }

  function tellSpeaking(): void {
    const now = speaking([...turns.values()], heardS);
    const said = JSON.stringify(
      now.map(({ turn: { turn, speaker, person }, sure }) => [turn, speaker, person, sure]),
    );
    if (said === speakingTold) return;
    speakingTold = said;
    options.onSpeaking?.(now);
  }

  function hear(news: News): void {
    if (news.event === "turn") {
      turns.set(news.value.turn, news.value);
      options.onTurn?.(news.value);
      tellSpeaking();
    }
    if (news.event === "level") {
      heardS = news.value.endS;
      options.onHeard?.(heardS);
      tellSpeaking();
    }
    if (news.event === "lag") options.onLag?.(news.value);
    if (news.event === "restarted") options.onRestarted?.(news.value);
    if (news.event === "error") fail(errorOf(news.value));
  }

  const { identify = false } = options;
  // The levels tell up to where it was heard.
  const opening = { sampleRateHz: MICROPHONE_RATE_HZ, identify, detail: "levels" } as const;
  const { task, answer } = bridge.openLive(opening, hear);
  valueOf(await answer);
  try {
    const open = await openMicrophone(options, {
      onSamples: (samples, level) => {
        if (failure !== null) return;
        bridge.push(task, samples);
        options.onSamples?.(samples);
        options.onLevel?.(level);
      },
      onEnded: () => {
        void microphone?.close();
        const text = "the microphone was unplugged or taken away";
        options.onError?.(new DOMException(text, "NotReadableError"));
      },
    });
    microphone = open;
    if (failure !== null) {
      // It failed while a person was asked: a microphone that nobody hears is closed.
      await open.close();
      throw failure;
    }
    return {
      label: open.label,
      get turns() {
        return [...turns.values()];
      },
      async close(how = {}) {
        await open.close();
        if (failure !== null) throw failure;
        return valueOf(await bridge.closeLive(task, how));
      },
      async stop() {
        await open.close();
        valueOf(await bridge.cancel(task));
      },
    };
  } catch (error) {
    await bridge.cancel(task);
    throw error;
  }
}
