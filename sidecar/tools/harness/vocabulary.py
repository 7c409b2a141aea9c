"""What a harness file may hold, as ``speaker-sidecar harness --help`` tells it."""

from __future__ import annotations

VOCABULARY = """\
FILE holds one entry, an array of entries, or (JSON lines) an entry on each line. They are sent in
this order. Then the child's input is closed, and its exit code must be 0, or as an entry expects.

An entry does exactly one of these things:
  {"method": M, "params": {...}, "id": ID}  a request; the id is chosen unless it is given
  {"notification": M, "params": {...}}      a message without an id
  {"cancel": NAME}                          cancels the request of the entry with that name
  {"payload": VALUE}                        any value as a payload, sent as it stands
  {"frame": BYTES, "id": ID}                bytes as a payload, with their length in front
  {"raw": BYTES, "id": ID}                  bytes as they are, without a length
  {"close": true}                           ends the child's input
  {"wait_for": STATE}                       waits for health to say so (loading, ready ...)
  {"wait_for": {"method": M, "params": X}}  waits for a notification that matches
The id of a frame or of raw bytes is the one inside them, if they hold one.

It may also have:
  "name": TEXT       for the report, and for other entries to refer to
  "when": "ready"    once the child serves and fewer than --jobs answers are awaited: the default
          "idle"     once no answer is awaited
          "now"      at once: also while the child loads, and beyond --jobs
  "expect": {"result": X}, {"error": X}     what comes; {"error": {"code": -32010, "kind": "empty"}}
            {"id": X, "took_ms": X}         further fields of the answer (nil is null)
            {"exit": X}                     the exit code of the child
            "answer", "nothing"             a result or an error; no answer at all
Without "expect", what is answered must be answered with a result; raw bytes need no answer. An
answer for which no entry waits is a failure.

An audio (params.audio, a, b, and each of items) may be, with start_s and end_s where wanted:
  {"path": TEXT}                            as on the wire, but relative to FILE's folder
  {"base64": TEXT}                          the bytes of an audio file
  {"base64": TEXT, "encoding": ..., "sample_rate_hz": ..., "channels": ...}  PCM
  {"tone": {"frequency_hz": 220, ...}}, {"noise": {"seed": 0, ...}}, {"silence": {...}}, each with
      "duration_s" (1), "level" (0.5), "sample_rate_hz" (16000), "channels" (1),
      "encoding" ("f32le" or "s16le")
  {"from": NAME}, {"from": NAME, "item": 0} an embedding of an earlier entry, with its fingerprint;
                                            item for embed_batch and embed_windows
  or as on the wire: {"pcm": BYTES, "encoding": ..., ...}, {"file": BYTES}

BYTES, also anywhere in params and payload: {"$bin": BASE64}, {"$hex": TEXT}, {"$text": TEXT},
{"$file": PATH}, each with "repeat": N where wanted. {"$float": "nan"} is what JSON has no number
for, also "inf" and "-inf".

X is what a value is compared with:
  a value            is equal; null also where there is none
  [X, X]             an array of as many items, which match
  {"field": X, ...}  an object whose fields match; others may be there
  {"min": N}, {"max": N}, {"about": N, "within": N}, {"length": X}, {"type": TYPE},
  {"contains": VALUE}, {"one_of": [X, X]}, {"each": X}
                     operators, which may be combined; TYPE is null, boolean, integer, number,
                     string, bin, array or object
In what is compared, an error's kind (and the rest of its data) stands beside its code.

Exit codes: 0 all as expected, 1 not so, 64 FILE cannot be used, 69 the child did not start.
"""
