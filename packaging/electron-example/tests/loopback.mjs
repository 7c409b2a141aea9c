// Electron between the page and the main process, for a page in any browser: over loopback. The
// preload script is the package's own; its module `electron` is what stands here.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

import { EXAMPLE, PRELOAD } from "./electron.mjs";

const TYPES = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
};

// Values as JSON, with an array of numbers as {$f32} or {$u8}: base64 of its bytes.
const ELECTRON = `
{
  const read = (text) => JSON.parse(text, (_, value) => {
    if (value?.$f32 === undefined) return value;
    const bytes = Uint8Array.from(atob(value.$f32), (sign) => sign.charCodeAt(0));
    return new Float32Array(bytes.buffer);
  });
  const base64 = (array) => {
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    let text = "";
    for (let at = 0; at < bytes.length; at += 8192)
      text += String.fromCharCode(...bytes.subarray(at, at + 8192));
    return btoa(text);
  };
  const write = (values) => JSON.stringify(values, (_, value) => {
    if (value instanceof Float32Array) return { $f32: base64(value) };
    if (value instanceof ArrayBuffer) return { $u8: base64(new Uint8Array(value)) };
    return value;
  });
  const call = async (how, values) => {
    const response = await fetch("/" + how, { method: "POST", body: write(values) });
    return read(await response.text());
  };
  let sent = Promise.resolve();
  const events = new EventSource("/events");
  const electron = {
    contextBridge: { exposeInMainWorld: (name, api) => (window[name] = api) },
    webUtils: { getPathForFile: ({ name }) => window.pathsOfDropped?.[name] ?? "" },
    ipcRenderer: {
      // In the order of what was sent, as Electron keeps it.
      invoke: (...values) => sent.then(() => call("invoke", values)),
      send: (...values) => (sent = sent.then(() => call("send", values))),
      on: (channel, listener) =>
        events.addEventListener(channel, ({ data }) => listener({}, ...read(data))),
    },
  };
  const require = () => electron;
  const exports = {};
PRELOAD
}`;

/** Serve the page to a browser, with the main process of `did` behind it; {url, close}. */
export async function serve(did) {
  const server = createServer((request, response) => {
    const url = new URL(request.url, "http://127.0.0.1");
    if (url.pathname === "/events") sendEvents(did, response);
    else if (request.method === "POST") void answer(did, url.pathname, request, response);
    else sendFile(did, url.pathname, response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/index.html`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

function sendEvents(did, response) {
  response.writeHead(200, { "content-type": "text/event-stream" });
  const send = (channel, ...values) =>
    response.write(`event: ${channel}\ndata: ${write(values)}\n\n`);
  did.sent.on("news", send);
  response.on("close", () => did.sent.off("news", send));
}

async function answer(did, pathname, request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const values = JSON.parse(Buffer.concat(chunks), (_, value) => {
    if (value?.$f32 !== undefined) return new Float32Array(bytesOf(value.$f32).buffer);
    return value?.$u8 === undefined ? value : bytesOf(value.$u8);
  });
  const answered = pathname === "/send" ? did.send(...values) : await did.invoke(...values);
  response.setHeader("content-type", "application/json");
  response.end(write(answered));
}

/** The page lies beside `node_modules`, which need not be installed here. */
function placeOf(pathname) {
  const installed = /^[\\/]node_modules[\\/]speaker-sidecar[\\/]/;
  if (!installed.test(pathname)) return join(EXAMPLE, "page", pathname);
  return join(EXAMPLE, "..", "..", "protocol", "node", pathname.replace(installed, ""));
}

function write(value) {
  return JSON.stringify(value ?? null, (_, part) =>
    part instanceof Float32Array
      ? { $f32: Buffer.from(part.buffer, part.byteOffset, part.byteLength).toString("base64") }
      : part,
  );
}

function bytesOf(base64) {
  return Uint8Array.from(Buffer.from(base64, "base64"));
}

function sendFile(did, pathname, response) {
  const type = { "content-type": TYPES[extname(pathname)] ?? "text/plain" };
  if (pathname === "/loopback-preload.js") {
    const preload = readFileSync(PRELOAD, "utf8");
    response.writeHead(200, type).end(ELECTRON.replace("PRELOAD", () => preload));
    return;
  }
  try {
    let file = readFileSync(placeOf(normalize(pathname)));
    if (pathname === "/index.html") {
      did.window.webContents.emit("did-navigate");
      // A preload script runs before the page's own.
      file = String(file).replace("</head>", '<script src="loopback-preload.js"></script></head>');
    }
    response.writeHead(200, type).end(file);
  } catch {
    response.writeHead(404).end();
  }
}
