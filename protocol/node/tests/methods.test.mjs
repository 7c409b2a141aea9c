// Every method against running processes: the light sidecar, and the real one.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { after, describe, test } from "node:test";

import {
  BadAudio,
  Closed,
  IncompatibleEmbeddings,
  InvalidParams,
  SidecarError,
  SpeakerSidecar,
} from "speaker-sidecar";

import {
  cosine,
  eventually,
  LIGHT,
  LIGHT_SKIP,
  ready,
  REAL,
  REAL_SKIP,
  SPEECH_SKIP,
  start,
  tone,
  utterances,
} from "./sidecars.mjs";
import { wavBytes } from "./wav.mjs";

const folder = mkdtempSync(join(tmpdir(), "sidecar-methods-"));
after(() => rmSync(folder, { recursive: true }));

/** Noise, the same each time: a voice that both encoders tell from a tone. */
function noise(nSamples, seed = 1) {
  let state = seed;
  const samples = Float32Array.from({ length: nSamples }, () => {
    state = (state * 48_271) % 2_147_483_647;
    return (state / 2_147_483_647 - 0.5) / 4;
  });
  return { samples, sampleRateHz: 16_000 };
}

for (const [name, options, skip] of [
  ["light", LIGHT, LIGHT_SKIP],
  ["real", REAL, REAL_SKIP],
]) {
  describe(`the ${name} sidecar`, { skip: skip ?? false }, () => {
    // One process for all of them.
    let shared;
    const sidecar = async () => (shared ??= await SpeakerSidecar.start(options));
    after(async () => (await shared)?.close());

    test("a file that is odd, and what a file is", async () => {
      const it = await sidecar();
      const whole = wavBytes(noise(16_000).samples);
      const cut = whole.subarray(0, whole.length - 4_000);
      assert.equal((await it.embed(whole)).warnings, undefined);
      const { warnings } = await it.embed(cut);
      assert.deepEqual(
        warnings.map(({ kind, promisedBytes, presentBytes }) => [
          kind,
          promisedBytes,
          presentBytes,
        ]),
        [["missing_end", 32_000, 28_000]],
      );
      const turns = await it.embedSegments(cut, [{ startS: 0.2, endS: 2 }]);
      assert.equal(turns[0].status, "rejected");
      assert.equal(turns.warnings[0].kind, "missing_end");
      await assert.rejects(it.embed({ file: cut, strict: true }), (error) => {
        return error instanceof BadAudio && error.kind === "truncated";
      });
      const probed = await it.probe(cut);
      assert.deepEqual(
        [probed.format, probed.sampleRateHz, probed.channels, probed.bits, probed.durationS],
        ["WAV", 16_000, 1, 16, 0.875],
      );
      assert.equal(probed.warnings[0].kind, "missing_end");
    });

    test("channels", async () => {
      const it = await sidecar();
      const { samples } = noise(16_000);
      const interleaved = new Float32Array(2 * samples.length);
      samples.forEach((sample, n) => interleaved.set([sample, -sample], 2 * n));
      const stereo = { samples: interleaved, sampleRateHz: 16_000, channels: 2 };
      const mixed = await it.embed(stereo);
      assert.ok(mixed.channelCorrelation < -0.99);
      assert.equal(mixed.warnings[0].kind, "opposite_phase");
      const [left, mono] = await Promise.all([
        it.embed({ ...stereo, channel: 0 }),
        it.embed(noise(16_000)),
      ]);
      assert.ok(cosine(left.embedding, mono.embedding) > 0.9999);
      await assert.rejects(it.embed({ ...stereo, channel: 2 }), { kind: "unsupported_channels" });
    });

    test("hello and health", async () => {
      const it = await sidecar();
      assert.equal(it.hello.protocol, 1);
      assert.ok(it.hello.capabilities.includes("audio.pcm"));
      assert.equal(it.hello.limits.maxBatchItems, 64);
      const health = await ready(it);
      assert.ok(health.device.selfTest.passed);
      assert.equal((await it.health()).model.sampleRateHz, 16_000);
    });

    test("embed", async () => {
      const it = await sidecar();
      const { embeddingDim } = (await ready(it)).model;
      const result = await it.embed(noise(24_000));
      assert.ok(result.embedding instanceof Float32Array);
      assert.equal(result.embedding.length, embeddingDim);
      assert.equal(result.dim, embeddingDim);
      assert.equal(result.durationS, 1.5);
      assert.equal(result.normalized, true);
      assert.ok(Math.abs(Math.hypot(...result.embedding) - 1) < 1e-5);
      assert.ok(result.timings.computeMs > 0);
      const raw = await it.embed(noise(24_000), { normalize: false, deadlineMs: 60_000 });
      assert.equal(raw.normalized, false);
      assert.ok(cosine(raw.embedding, result.embedding) > 0.99999);
    });

    test("all forms of one audio have one embedding", async () => {
      const it = await sidecar();
      const integers = Int16Array.from(noise(16_000).samples, (sample) =>
        Math.round(sample * 32_767),
      );
      const samples = Float32Array.from(integers, (sample) => sample / 32_768);
      const file = wavBytes(Array.from(integers, (sample) => sample / 32_767));
      const path = join(folder, `${name}.wav`);
      writeFileSync(path, file);
      const longer = new Float32Array(32_000).fill(0.5);
      longer.set(samples, 8_000);
      const buffer = (...channels) => ({
        sampleRate: 16_000,
        numberOfChannels: channels.length,
        getChannelData: (index) => channels[index],
      });
      const forms = {
        floats: { samples, sampleRateHz: 16_000 },
        integers: { samples: integers, sampleRateHz: 16_000 },
        "a view in the middle of an array": {
          samples: longer.subarray(8_000, 24_000),
          sampleRateHz: 16_000,
        },
        "a part": { samples: longer, sampleRateHz: 16_000, startS: 0.5, endS: 1.5 },
        interleaved: {
          samples: Float32Array.from({ length: 32_000 }, (_, n) => samples[n >> 1]),
          sampleRateHz: 16_000,
          channels: 2,
        },
        "an AudioBuffer": buffer(samples),
        "an AudioBuffer of two channels": buffer(samples, samples),
        "a part of an AudioBuffer": { buffer: buffer(longer), startS: 0.5, endS: 1.5 },
        "a file's bytes": file,
        "an ArrayBuffer": file.buffer.slice(file.byteOffset, file.byteOffset + file.length),
        "a part of a file": { file, startS: 0, endS: 1 },
        path,
        "a relative path": relative(process.cwd(), path),
        "a part of a path": { path, startS: 0, endS: 1 },
      };
      const { embedding } = await it.embed(forms.floats);
      for (const [form, audio] of Object.entries(forms)) {
        const other = await it.embed(audio);
        assert.equal(other.durationS, 1, form);
        assert.ok(cosine(other.embedding, embedding) > 0.99999, form);
      }
    });

    test("the app may reuse its samples as soon as it has called", async () => {
      const it = await sidecar();
      const { samples } = noise(16_000);
      const before = await it.embed({ samples, sampleRateHz: 16_000 });
      const call = it.embed({ samples, sampleRateHz: 16_000 });
      samples.fill(0);
      assert.deepEqual((await call).embedding, before.embedding);
    });

    test("embedBatch: one that fails spoils no other", async () => {
      const it = await sidecar();
      const items = await it.embedBatch([noise(16_000), tone(10), noise(20_000)]);
      assert.deepEqual(
        items.map(({ status }) => status),
        ["fulfilled", "rejected", "fulfilled"],
      );
      assert.equal(items[2].value.durationS, 1.25);
      const { reason } = items[1];
      assert.ok(reason instanceof BadAudio);
      assert.deepEqual([reason.code, reason.kind, reason.retryable], [-32010, "too_short", false]);
      assert.ok(reason.details.minDurationS > 0);
    });

    test("embedWindows", async () => {
      const it = await sidecar();
      const result = await it.embedWindows(noise(40_000), { windowS: 1, hopS: 0.5 });
      assert.deepEqual(result.startsS, [0, 0.5, 1, 1.5]);
      assert.equal(result.count, 4);
      assert.equal(result.embeddings.length, 4);
      const { samples } = noise(40_000);
      const third = await it.embed({
        samples: samples.slice(16_000, 32_000),
        sampleRateHz: 16_000,
      });
      assert.ok(cosine(result.embeddings[2], third.embedding) > 0.9999);
    });

    test("embedSegments: each is what embed gives for this part", async () => {
      const it = await sidecar();
      const { samples, sampleRateHz } = noise(40_000);
      const segments = [
        { startS: 1, endS: 2 },
        { startS: 0, endS: 1.5 },
        { startS: 0.2, endS: 0.201 },
        { startS: 7, endS: 9 },
        { startS: 0.5, endS: 2 },
      ];
      const items = await it.embedSegments({ samples, sampleRateHz }, segments);
      assert.deepEqual(
        items.map(({ status }) => status),
        ["fulfilled", "fulfilled", "rejected", "rejected", "fulfilled"],
      );
      for (const index of [0, 1, 4]) {
        const { startS, endS } = segments[index];
        const alone = await it.embed({ samples, sampleRateHz, startS, endS });
        const { embedding, durationS, fingerprint } = items[index].value;
        assert.ok(cosine(embedding, alone.embedding) > 0.9999, String(index));
        assert.deepEqual([durationS, fingerprint], [endS - startS, alone.fingerprint]);
      }
      assert.equal(items[2].reason.kind, "too_short");
      assert.ok(items[3].reason instanceof BadAudio);
    });

    test("embedSegments: what is wrong with all of it fails the call", async () => {
      const it = await sidecar();
      const segments = [{ startS: 0, endS: 1 }];
      await assert.rejects(it.embedSegments(tone(), []), InvalidParams);
      const absent = join(folder, "absent.wav");
      await assert.rejects(it.embedSegments(absent, segments), { kind: "path_not_found" });
      const tooMany = Array(it.hello.limits.maxSegments + 1).fill(segments[0]);
      await assert.rejects(it.embedSegments(tone(), tooMany), { kind: "batch_too_large" });
    });

    test("score: audios, kept embeddings, and both", async () => {
      const it = await sidecar();
      const [a, b] = [noise(16_000), tone(32_000)];
      const { cosine: similarity, fingerprint } = await it.score(a, b);
      const kept = await it.embed(b);
      assert.equal(kept.fingerprint, fingerprint);
      assert.ok(Math.abs((await it.score(a, kept)).cosine - similarity) < 1e-5);
      assert.ok((await it.score(kept, kept)).cosine > 0.99999);
      await assert.rejects(it.score(kept, { ...kept, fingerprint: "another" }), (error) => {
        assert.ok(error instanceof IncompatibleEmbeddings);
        return error.code === -32012 && error.details.b === "another";
      });
    });

    test("metrics", async () => {
      const it = await sidecar();
      const before = await it.metrics();
      await it.embed(tone());
      await assert.rejects(it.embed(tone(10)));
      const { embeddings, outcomes } = await it.metrics();
      assert.equal(embeddings, before.embeddings + 1);
      // Its keys are the wire's kinds, not names of fields.
      assert.equal(outcomes.too_short, (before.outcomes.too_short ?? 0) + 1);
    });

    test("errors are classes with the wire's code", async () => {
      const it = await sidecar();
      const empty = { samples: new Float32Array(), sampleRateHz: 16_000 };
      await assert.rejects(it.embed(empty), (error) => {
        assert.ok(
          error instanceof BadAudio && error instanceof SidecarError && error instanceof Error,
        );
        assert.equal(error.name, "BadAudio");
        return error.kind === "empty";
      });
      await assert.rejects(it.embed(join(folder, "absent.wav")), { kind: "path_not_found" });
      await assert.rejects(it.embedBatch([]), InvalidParams);
      await assert.rejects(it.embed({ samples: [1, 2], sampleRateHz: 16_000 }), InvalidParams);
      await assert.rejects(it.embed(42), InvalidParams);
      const { maxBatchItems } = it.hello.limits;
      const tooMany = Array.from({ length: maxBatchItems + 1 }, () => tone(1_600));
      await assert.rejects(it.embedBatch(tooMany), { kind: "batch_too_large" });
    });

    test("close drains, and then the process is gone", async (t) => {
      const it = await start(t, options);
      await ready(it);
      const exit = eventually(it, "exit");
      const calls = Array.from({ length: 4 }, () => it.embed(noise(16_000)));
      await it.close({ drainMs: 60_000 });
      assert.deepEqual(
        (await Promise.all(calls)).map(({ durationS }) => durationS),
        [1, 1, 1, 1],
      );
      const { code, willRestart } = await exit;
      assert.deepEqual([code, willRestart, it.pid], [0, false, null]);
      await assert.rejects(it.embed(tone()), Closed);
    });
  });
}

describe("progress", { skip: LIGHT_SKIP ?? false }, () => {
  test("of the calls that give many embeddings", async (t) => {
    // Progress comes four times a second: each of these calls takes longer.
    const it = await start(t, LIGHT, { LIGHT_EMBED_S: "0.15" });
    const audio = tone(48_000);
    const segments = [0, 0.5, 1, 1.5, 2].map((startS) => ({ startS, endS: startS + 1 }));
    for (const [unit, call] of [
      ["audios", (options) => it.embedBatch(Array(5).fill(audio), options)],
      ["windows", (options) => it.embedWindows(audio, { windowS: 1, hopS: 0.5, ...options })],
      ["segments", (options) => it.embedSegments(audio, segments, options)],
    ]) {
      const told = [];
      await call({ onProgress: (progress) => told.push(progress) });
      assert.ok(told.length > 0, unit);
      const dones = told.map(({ done }) => done);
      assert.deepEqual(
        dones,
        [...dones].sort((a, b) => a - b),
        unit,
      );
      for (const progress of told) {
        assert.deepEqual([progress.unit, progress.total], [unit, 5]);
        assert.ok(progress.done >= 0 && progress.done <= 5, String(progress.done));
      }
    }
  });
});

describe("real speech", { skip: SPEECH_SKIP ?? false }, () => {
  test("the same speaker scores high, another low", async (t) => {
    const it = await start(t, REAL);
    const bySpeaker = new Map();
    for (const path of utterances()) {
      const speaker = path.split(/[\\/]/).at(-2);
      bySpeaker.set(speaker, [...(bySpeaker.get(speaker) ?? []), path]);
    }
    const [[a1, a2], [b]] = [...bySpeaker.values()];
    assert.ok((await it.score(a1, a2)).cosine > 0.55);
    assert.ok((await it.score(a1, b)).cosine < 0.45);
  });
});
