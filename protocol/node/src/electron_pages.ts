/** What is needed of Electron where pages are answered; Electron itself is not imported. */

/** What is needed of Electron's `WebFrameMain`. */
export interface Frame {
  readonly url: string;
  readonly parent: unknown;
}

/** What is needed of Electron's `WebContents`. */
export interface Page {
  readonly id: number;
  isDestroyed(): boolean;
  send(channel: string, ...args: unknown[]): void;
  on(event: "destroyed" | "render-process-gone" | "did-navigate", listener: () => void): unknown;
}

/** What is needed of the events of Electron's `ipcMain`. */
export interface PageEvent {
  readonly sender: Page;
  readonly senderFrame: Frame | null;
}

/** What is needed of Electron's `ipcMain`. */
export interface PageCalls {
  handle(
    channel: string,
    listener: (event: PageEvent, ...args: any[]) => Promise<unknown>,
  ): unknown;
  on(channel: string, listener: (event: PageEvent, ...args: any[]) => void): unknown;
}

/** What is needed of Electron's `Session`. */
export interface PagePermissions {
  setPermissionRequestHandler(
    handler: (
      contents: unknown,
      permission: string,
      allow: (isAllowed: boolean) => void,
      details: { readonly mediaTypes?: readonly string[]; readonly requestingUrl: string },
    ) => void,
  ): unknown;
  setPermissionCheckHandler(
    handler: (
      contents: unknown,
      permission: string,
      origin: string,
      details: { readonly mediaType?: string },
    ) => boolean,
  ): unknown;
}
