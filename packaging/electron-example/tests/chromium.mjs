// A headless Chromium, driven over its DevTools pipe: frames of JSON that end with a zero byte.

import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];

/** The browser's command: CHROMIUM, or what is on the PATH; undefined where there is none. */
export const CHROMIUM =
  process.env.CHROMIUM ?? NAMES.find((name) => spawnSync(name, ["--version"]).status === 0);

export class Page {
  #process;
  #profile = mkdtempSync(join(tmpdir(), "sidecar-chromium-"));
  #rest = "";
  #nextId = 1;
  #calls = new Map();
  #sessionId;
  /** What the page logged, and what it threw. */
  logged = [];

  /** Open `url` in a browser of its own; `args`: further ones of its command line. */
  static async open(url, args = []) {
    const page = new Page();
    await page.#start(url, args);
    return page;
  }

  async #start(url, args) {
    this.#process = spawn(
      CHROMIUM,
      [
        "--headless",
        "--no-sandbox", // tests may run as root
        "--disable-gpu",
        "--remote-debugging-pipe",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        ...args,
        `--user-data-dir=${this.#profile}`,
        "about:blank",
      ],
      { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] },
    );
    const [, , , , output] = this.#process.stdio;
    output.setEncoding("utf8");
    output.on("data", (text) => this.#read(text));
    this.#process.on("exit", () => {
      for (const { reject } of this.#calls.values()) reject(new Error("the browser ended"));
    });
    const { targetInfos } = await this.call("Target.getTargets");
    const { targetId } = targetInfos.find(({ type }) => type === "page");
    const attached = await this.call("Target.attachToTarget", {
      targetId,
      flatten: true,
    });
    this.#sessionId = attached.sessionId;
    await this.call("Page.enable");
    await this.call("Runtime.enable");
    await this.call("Emulation.setDeviceMetricsOverride", {
      width: 1120,
      height: 800,
      deviceScaleFactor: 1,
      mobile: false,
    });
    await this.call("Page.navigate", { url });
  }

  call(method, params = {}) {
    const id = this.#nextId++;
    const [, , , input] = this.#process.stdio;
    input.write(`${JSON.stringify({ id, method, params, sessionId: this.#sessionId })}\0`);
    return new Promise((resolve, reject) => this.#calls.set(id, { resolve, reject }));
  }

  #read(text) {
    const frames = (this.#rest + text).split("\0");
    this.#rest = frames.pop();
    for (const { id, result, error, method, params } of frames.map((frame) => JSON.parse(frame))) {
      if (id !== undefined) {
        const { resolve, reject } = this.#calls.get(id);
        this.#calls.delete(id);
        if (error) reject(new Error(error.message));
        else resolve(result);
      } else if (method === "Runtime.exceptionThrown") {
        this.logged.push(
          params.exceptionDetails.exception?.description ?? params.exceptionDetails.text,
        );
      } else if (method === "Runtime.consoleAPICalled") {
        this.logged.push(params.args.map(({ value }) => String(value)).join(" "));
      }
    }
  }

  /** The value of an expression in the page. */
  async evaluate(expression) {
    const { result, exceptionDetails } = await this.call("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
      userGesture: true,
    });
    if (exceptionDetails)
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** Wait until an expression is true in the page. */
  async until(expression, timeoutMs = 60_000) {
    const endsAt = performance.now() + timeoutMs;
    while (!(await this.evaluate(expression).catch(() => false))) {
      if (performance.now() > endsAt) {
        const text = await this.evaluate("document.body.innerText");
        throw new Error(`never: ${expression}\n${this.logged.join("\n")}\n${text}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** The middle of an element. */
  async #middleOf(selector) {
    return this.evaluate(`(() => {
      const element = document.querySelector(${JSON.stringify(selector)});
      element.scrollIntoView({ block: "center" });
      const { x, y, width, height } = element.getBoundingClientRect();
      return { x: x + width / 2, y: y + height / 2 };
    })()`);
  }

  /** Drop files onto an element, as from the desktop. */
  async dropFiles(selector, files) {
    const place = await this.#middleOf(selector);
    const paths = Object.fromEntries(files.map((path) => [basename(path), path]));
    await this.evaluate(`void (window.pathsOfDropped = ${JSON.stringify(paths)})`);
    const data = { items: [], files, dragOperationsMask: 1 };
    for (const type of ["dragEnter", "dragOver", "drop"]) {
      await this.call("Input.dispatchDragEvent", { type, ...place, data });
    }
  }

  async click(selector) {
    const place = {
      ...(await this.#middleOf(selector)),
      button: "left",
      clickCount: 1,
    };
    await this.call("Input.dispatchMouseEvent", {
      type: "mousePressed",
      ...place,
    });
    await this.call("Input.dispatchMouseEvent", {
      type: "mouseReleased",
      ...place,
    });
  }

  /** Press a key: "Tab", "ArrowRight", "Enter", "Escape". */
  async press(key) {
    const text = key === "Enter" ? "\r" : undefined;
    const windowsVirtualKeyCode = { Tab: 9, Enter: 13, Escape: 27, ArrowLeft: 37, ArrowRight: 39 }[
      key
    ];
    for (const type of ["keyDown", "keyUp"]) {
      await this.call("Input.dispatchKeyEvent", {
        type,
        key,
        code: key,
        text,
        windowsVirtualKeyCode,
      });
    }
  }

  /** Write where the focus is. */
  write(text) {
    return this.call("Input.insertText", { text });
  }

  /** "light" or "dark". */
  colours(scheme) {
    const features = [{ name: "prefers-color-scheme", value: scheme }];
    return this.call("Emulation.setEmulatedMedia", { features });
  }

  /** What one sees of the page, as PNG. */
  async screenshot() {
    const { data } = await this.call("Page.captureScreenshot");
    return Buffer.from(data, "base64");
  }

  async close() {
    const exit = new Promise((resolve) => this.#process.on("exit", resolve));
    await this.call("Browser.close").catch(() => undefined);
    await exit;
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 10 });
  }
}
