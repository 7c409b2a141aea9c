// A child that needs nothing but Node: it serves, or fails, as it is told.
//
// stand_in_child.mjs serve: embeds any audio as four numbers; one of fewer than 100 samples is too
//   short, and `{path}` is refused in the wire's words.
// stand_in_child.mjs fail CODE KIND RETRYABLE EXIT_CODE LINGER_MS: says why it fails, and ends later.
// stand_in_child.mjs old EXIT_CODE: a child of contract 1.2, which does not say it to programs.

import framing from "../dist/framing.js";
import payloads from "../dist/payload.js";

const [mode, ...words] = process.argv.slice(2);

function tell(message) {
  const frame = framing.encodeFrame(payloads.pack({ jsonrpc: "2.0", ...message }));
  process.stdout.write(frame);
}

const health = (state, reason, error) =>
  tell({ method: "health", params: { state, reason, ...(error && { error }) } });

const EMBEDDING = {
  embedding: new Uint8Array(Float32Array.of(0.5, -0.5, 0.5, -0.5).buffer),
  dim: 4,
  model: "stand-in",
  fingerprint: "stand-in.1",
  normalized: true,
  duration_s: 1,
  device: "cpu",
  batch_size: 1,
  timings: { decode_ms: 0, queue_ms: 0, compute_ms: 0 },
};

function refusal(code, kind, message) {
  return { error: { code, message, data: { kind, retryable: false } } };
}

function answerTo({ method, params }) {
  if (method === "health") return { result: { state: "ready", reason: "" } };
  if (method === "shutdown") return { result: {} };
  if (method !== "embed") return refusal(-32601, "method_not_found", `no method ${method}`);
  const { audio } = params;
  if (audio.path !== undefined) {
    return refusal(-32602, "invalid_params", "params.audio.start_s must be a number");
  }
  if (audio.pcm.length < 400) return refusal(-32010, "too_short", "the audio lasts 0.001 s");
  return { result: EMBEDDING };
}

tell({
  method: "hello",
  params: {
    protocol: 1,
    protocol_minor: 3,
    name: "stand-in",
    version: "1",
    pid: process.pid,
    instance: String(process.pid),
    capabilities: ["audio.pcm", "audio.path"],
    limits: {
      max_frame_bytes: 64 * 2 ** 20,
      max_in_flight: 256,
      max_batch_items: 64,
      max_queued_bytes: 256 * 2 ** 20,
      max_windows: 8,
    },
  },
});
health("loading", "loading");
const decoder = new framing.FrameDecoder();
process.stdin.on("data", (data) => {
  for (const payload of decoder.feed(data)) {
    const request = payloads.unpack(payload);
    if (request.id !== undefined) tell({ id: request.id, ...answerTo(request) });
  }
});
process.stdin.on("end", () => process.exit(0));

if (mode === "serve") {
  health("ready", "it serves");
} else if (mode === "old") {
  health("failed", "it cannot");
  setTimeout(() => process.exit(Number(words[0])), 20);
} else {
  const [code, kind, retryable, exitCode, lingerMs] = words;
  health("failed", "it cannot", { code: Number(code), kind, retryable: retryable === "yes" });
  setTimeout(() => process.exit(Number(exitCode)), Number(lingerMs));
}
