// A page in any browser, with the app's own preload script and main process: calls over loopback.

import { EventEmitter } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

import ts from "typescript";

import { serveSpeaker } from "speaker-sidecar/main";

import { FakeIpcMain } from "./fake_electron.mjs";

const SOURCES = new URL("../src/", import.meta.url);

// In place of Electron's `contextBridge` and `ipcRenderer`.
const PRELOAD = `
import { exposeSpeaker } from "./preload.js";

const asText = (value) => JSON.stringify(value, (_, inner) =>
  inner instanceof Float32Array ? { $f32: [...inner] } : inner);
const fromText = (text) => JSON.parse(text, (_, inner) =>
  inner?.$f32 ? Float32Array.from(inner.$f32) : inner);
const post = (path, value) => fetch(path, { method: "POST", body: asText(value) });
const events = new EventSource("/news");
let queue = Promise.resolve();
const ipcRenderer = {
  // In the order of what was sent, as Electron keeps it.
  invoke: async (channel, ...args) => {
    await queue;
    return fromText(await (await post("/invoke", [channel, args])).text());
  },
  send: (channel, ...args) => (queue = queue.then(() => post("/send", [channel, args]))),
  on: (channel, listener) => events.addEventListener(channel, ({ data }) => {
    listener({}, ...fromText(data));
  }),
};
const contextBridge = { exposeInMainWorld: (name, api) => (window[name] = api) };
exposeSpeaker({ contextBridge, ipcRenderer, webUtils: { getPathForFile: () => "" } });
`;

const asText = (value) =>
  JSON.stringify(value, (_, inner) =>
    inner instanceof Float32Array ? { $f32: [...inner] } : inner,
  );
const fromText = (text) =>
  JSON.parse(text, (_, inner) => (inner?.$f32 ? Float32Array.from(inner.$f32) : inner));

/**
 * Serve a page whose script is `script`, with `sidecar` (or nothing) behind it: {url, page, close}.
 * `policy` is its Content-Security-Policy.
 */
export async function servePage(script, { sidecar, policy } = {}) {
  const ipcMain = new FakeIpcMain();
  const page = Object.assign(new EventEmitter(), {
    id: 1,
    isDestroyed: () => false,
    send: (channel, ...args) => news?.write(`event: ${channel}\ndata: ${asText(args)}\n\n`),
  });
  let news;
  const server = createServer((request, response) => void answer(request, response));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${server.address().port}`;
  if (sidecar !== undefined) serveSpeaker({ ipcMain, sidecar, origins: [origin] });
  const event = { sender: page, senderFrame: { url: `${origin}/`, parent: null } };

  async function answer(request, response) {
    const { pathname } = new URL(request.url, origin);
    if (pathname === "/news") {
      response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
      news = response;
    } else if (request.method === "POST") {
      const body = [];
      for await (const part of request) body.push(part);
      const [channel, args] = fromText(Buffer.concat(body).toString());
      if (pathname === "/send") ipcMain.emit(channel, event, ...args);
      const result = pathname === "/send" ? null : await ipcMain.handlers[channel](event, ...args);
      response.end(asText(result ?? null));
    } else {
      const [type, text] = fileOf(pathname);
      const headers = { "content-type": type };
      if (policy !== undefined) headers["content-security-policy"] = policy;
      response.writeHead(text === undefined ? 404 : 200, headers).end(text);
    }
  }

  function fileOf(pathname) {
    if (pathname === "/") {
      const scripts = ["loopback_preload", "app"].map(
        (name) => `<script type="module" src="${name}.js"></script>`,
      );
      return ["text/html", `<!doctype html><title>test</title><body>${scripts.join("")}`];
    }
    if (pathname === "/loopback_preload.js") return ["text/javascript", PRELOAD];
    if (pathname === "/app.js") return ["text/javascript", script];
    if (pathname === "/worklet.js") return ["text/javascript", read("../dist/worklet.js")];
    if (!pathname.endsWith(".js")) return ["text/plain", undefined];
    const source = read(pathname.slice(1).replace(/\.js$/, ".ts"));
    return ["text/javascript", source && esmOf(source)];
  }

  return {
    url: `${origin}/`,
    page,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

function read(name) {
  try {
    return readFileSync(new URL(name, SOURCES), "utf8");
  } catch {
    return undefined;
  }
}

/** As a bundler makes it of the package's ESM. */
function esmOf(source) {
  const compilerOptions = { module: ts.ModuleKind.ES2022, target: ts.ScriptTarget.ES2022 };
  return ts.transpileModule(source, { compilerOptions }).outputText;
}
