// What main process and preload do, for a page in any browser: calls and events over loopback.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const { handlersFor } = createRequire(import.meta.url)("../handlers.js");

const PAGE = fileURLToPath(new URL("../page/", import.meta.url));
const TYPES = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
};
const EVENTS = ["health", "progress", "restart"];

// In place of preload.js: the same `window.speaker`.
const PRELOAD = `
async function ask(name, samples, sampleRateHz) {
  const options = { method: "POST", body: samples };
  const response = await fetch("/call/" + name + "?rate=" + (sampleRateHz ?? ""), options);
  const { value, error } = await response.json();
  if (error) throw new Error(error.message);
  return value;
}
const events = new EventSource("/events");
const tell = (event) => (listener) =>
  events.addEventListener(event, ({ data }) => listener(JSON.parse(data)));
window.speaker = {
  enrol: (samples, sampleRateHz) => ask("enrol", samples, sampleRateHz),
  compare: (samples, sampleRateHz) => ask("compare", samples, sampleRateHz),
  forget: () => ask("forget"),
  health: () => ask("health"),
  onHealth: tell("health"),
  onProgress: tell("progress"),
  onRestart: tell("restart"),
};`;

/** Serve the page, with `sidecar` behind it; {url, close}. */
export async function serve(sidecar) {
  const handlers = handlersFor(sidecar);
  const server = createServer((request, response) => {
    const url = new URL(request.url, "http://127.0.0.1");
    if (url.pathname === "/events") sendEvents(sidecar, response);
    else if (url.pathname.startsWith("/call/")) void answer(handlers, url, request, response);
    else sendFile(url.pathname, response);
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

function sendEvents(sidecar, response) {
  response.writeHead(200, { "content-type": "text/event-stream" });
  for (const event of EVENTS) {
    const send = (value) => response.write(`event: ${event}\ndata: ${JSON.stringify(value)}\n\n`);
    sidecar.on(event, send);
    response.on("close", () => sidecar.off(event, send));
  }
}

async function answer(handlers, url, request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const samples = new Float32Array(Uint8Array.from(Buffer.concat(chunks)).buffer);
  const handler = handlers[url.pathname.slice("/call/".length)];
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(await handler(samples, Number(url.searchParams.get("rate")))));
}

function sendFile(pathname, response) {
  if (pathname === "/loopback-preload.js") {
    response.writeHead(200, { "content-type": TYPES[".js"] }).end(PRELOAD);
    return;
  }
  try {
    let file = readFileSync(join(PAGE, normalize(pathname)));
    if (pathname === "/index.html") {
      // A preload script runs before the page's own.
      const script = '<script type="module" src="loopback-preload.js"></script>';
      file = String(file).replace("</head>", `${script}</head>`);
    }
    response
      .writeHead(200, {
        "content-type": TYPES[extname(pathname)] ?? "text/plain",
      })
      .end(file);
  } catch {
    response.writeHead(404).end();
  }
}
