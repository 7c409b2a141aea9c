/** Where the sidecar meets Electron's life; Electron itself is not imported. */

import type { SpeakerSidecar } from "./sidecar";

/** What is needed of Electron's `app`. */
export interface QuittingApp {
  on(event: "before-quit", listener: (event: QuitEvent) => void): unknown;
  quit(): void;
}

/** What is needed of Electron's `Event`. */
export interface QuitEvent {
  readonly defaultPrevented: boolean;
  preventDefault(): void;
}

/**
 * End `sidecar` when `app` quits; the app goes on quitting once the child is gone. Call it after
 * adding listeners of your own to `before-quit`: if one of them prevents it, nothing is ended.
 */
export function closeBeforeQuit(app: QuittingApp, sidecar: Pick<SpeakerSidecar, "close">): void {
  let isClosed = false;
  let isClosing = false;
  app.on("before-quit", (event) => {
    if (isClosed || event.defaultPrevented) return;
    event.preventDefault();
    if (isClosing) return;
    isClosing = true;
    void sidecar.close().finally(() => {
      isClosed = true;
      app.quit();
    });
  });
}
