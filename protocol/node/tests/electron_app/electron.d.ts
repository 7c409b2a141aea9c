// What of Electron's types the app uses, as Electron itself has them.

declare module "electron" {
  import { EventEmitter } from "node:events";

  interface WebFrameMain extends EventEmitter {
    readonly url: string;
    readonly parent: WebFrameMain | null;
  }
  interface WebContents extends EventEmitter {
    readonly id: number;
    isDestroyed(): boolean;
    send(channel: string, ...args: any[]): void;
  }
  interface IpcMainEvent {
    readonly sender: WebContents;
    readonly senderFrame: WebFrameMain | null;
  }
  interface IpcMain extends EventEmitter {
    handle(
      channel: string,
      listener: (event: IpcMainEvent, ...args: any[]) => Promise<any> | any,
    ): void;
    on(channel: string, listener: (event: IpcMainEvent, ...args: any[]) => void): this;
  }
  interface Details {
    readonly isMainFrame: boolean;
    readonly requestingUrl: string;
    readonly mediaTypes?: ("video" | "audio")[];
  }
  interface Session {
    setPermissionRequestHandler(
      handler:
        | ((
            contents: WebContents,
            permission: "media" | "fullscreen",
            allow: (isAllowed: boolean) => void,
            details: Details,
          ) => void)
        | null,
    ): void;
    setPermissionCheckHandler(
      handler:
        | ((
            contents: WebContents | null,
            permission: string,
            origin: string,
            details: { readonly mediaType?: "video" | "audio" | "unknown" },
          ) => boolean)
        | null,
    ): void;
  }
  interface App extends EventEmitter {
    whenReady(): Promise<void>;
    getPath(name: "userData"): string;
    quit(): void;
  }
  class BrowserWindow {
    constructor(options: { webPreferences: { preload: string } });
    loadFile(path: string): Promise<void>;
  }
  const app: App;
  const ipcMain: IpcMain;
  const session: { readonly defaultSession: Session };
}
