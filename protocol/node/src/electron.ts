/** Where the sidecar meets Electron's life; Electron itself is not imported. */

import type { SpeakerSidecar } from "./sidecar.js";

/** What is needed of Electron's `app`. */
export interface QuittingApp {
  on(event: "will-quit", listener: (event: QuitEvent) => void): unknown;
  quit(): void;
}

/** What is needed of Electron's `Event`. */
export interface QuitEvent {
  readonly defaultPrevented: boolean;
  preventDefault(): void;
}

/**
 * End `sidecar` when `app` quits; the app goes on quitting once the child is gone.
 *
 * It waits for `will-quit`, when every window has closed: a window that asks "save?", and a listener
 * of `before-quit`, may still cancel a quit before that, and the updater has had its turn. If your
 * own listener of `will-quit` may prevent it, add it before this call: then nothing is ended.
 */
export function closeBeforeQuit(
  app: QuittingApp,
  sidecar: Pick<SpeakerSidecar, "close" | "state">,
): void {
  let isClosing = false;
  app.on("will-quit", (event) => {
    if (sidecar.state === "closed" || event.defaultPrevented) return;
    event.preventDefault();
    if (isClosing) return;
    isClosing = true;
    void sidecar.close().finally(() => {
      isClosing = false;
      app.quit();
    });
  });
}
