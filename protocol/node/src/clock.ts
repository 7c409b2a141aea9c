/** Time as the supervisor sees it; tests pass one of their own. */

/** What `setTimer` gives. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Calls `callback` once, in `delayMs` milliseconds or later. */
  setTimer(callback: () => void, delayMs: number): Timer;
  /** Keeps the process alive until it is cancelled; timers do not. */
  keepAlive(): Timer;
  /** 0 <= random() < 1, for jitter. */
  random(): number;
}

// What setTimeout takes at most; a longer delay would fire at once.
const MAX_DELAY_MS = 2 ** 31 - 1;

export const SYSTEM_CLOCK: Clock = {
  setTimer(callback, delayMs) {
    const timeout = setTimeout(callback, Math.min(Math.max(delayMs, 0), MAX_DELAY_MS)).unref();
    return { cancel: () => clearTimeout(timeout) };
  },
  keepAlive() {
    const interval = setInterval(() => undefined, MAX_DELAY_MS);
    return { cancel: () => clearInterval(interval) };
  },
  random: Math.random,
};
