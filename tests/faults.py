"""Faults on demand, for the entry points in ``tests/``: no program that is shipped has them.

Environment:
    FAULT: one of
        device:N, crash:N, exit:N, hang:N: at the Nth batch the device fails, a bug shows, the
            worker's thread is told to exit, or nothing returns any more;
        memory:N: a batch of more than N samples, padding counted, does not fit into memory;
        response:N: the response with the Nth embedding cannot be made;
        decoder_exits, decoder_hangs, decoder_crashes, decoder_memory: at every audio of
            ``MARKED_RATE_HZ``, and every step of such a stream; with :N at the Nth of these alone.
    DEVICE_TIMEOUT_S, DECODE_TIMEOUT_S: in place of the service's own, the latter for streams, too.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading

from light_segmenter import open_light_segmenter

import sidecar.requests.decoders
import sidecar.requests.server
from protocol.errors import DeviceError, OutOfMemory
from sidecar.__main__ import _build_parser, serve
from sidecar.diarization.diarizing import Diarizing

MARKED_RATE_HZ = 8001


def serve_with_faults(engine_type, open_detector):
    """Serve with the program's arguments, as ``sidecar serve`` does, and with what FAULT asks."""
    sidecar.requests.server.DEVICE_CALL_TIMEOUT_S = seconds_from(
        "DEVICE_TIMEOUT_S", sidecar.requests.server.DEVICE_CALL_TIMEOUT_S
    )
    for timeout in ("DECODE_TIMEOUT_S", "HEARING_TIMEOUT_S"):
        seconds = seconds_from("DECODE_TIMEOUT_S", getattr(sidecar.requests.decoders, timeout))
        setattr(sidecar.requests.decoders, timeout, seconds)
    name, _, number = os.environ.get("FAULT", "").partition(":")
    if name in DECODER_FAULTS:
        make_decoders_faulty(DECODER_FAULTS[name], number)
    elif name:
        engine_type = with_encoder_fault(engine_type, ENCODER_FAULTS[name], int(number))
    options = _build_parser().parse_args(["serve", *sys.argv[1:]])
    serve(options, engine_type, open_detector, open_light_segmenter)


def seconds_from(variable, default):
    return float(os.environ.get(variable, default))


def make_decoders_faulty(strike, number):
    decode, marked = Diarizing.decode, itertools.count(1)

    def faulty_decode(self, audio, *rest):
        if getattr(audio, "sample_rate_hz", None) == MARKED_RATE_HZ:
            which = str(next(marked))
            if number in ("", which):
                strike()
        return decode(self, audio, *rest)

    Diarizing.decode = faulty_decode


def with_encoder_fault(engine_type, fault, number):
    class Faulty(engine_type):
        def open(self, *arguments):
            encoder = super().open(*arguments)
            encoder.embed = fault(encoder.embed, number)
            return encoder

    return Faulty


def at_batch(strike):
    """A fault that strikes once the batch of that number was computed."""

    def fault(embed, number):
        batches = itertools.count(1)

        def faulty_embed(waveforms):
            outcomes = embed(waveforms)
            if next(batches) == number:
                strike()
            return outcomes

        return faulty_embed

    return fault


def fail():
    raise DeviceError("the device failed, as the test asked")


def crash():
    raise ZeroDivisionError("a bug, as the test asked")


def leave():
    raise SystemExit("as the test asked")


def hang():
    threading.Event().wait()


def run_out_of_memory():
    raise MemoryError("as the test asked")


def too_much_for_memory(embed, n_samples):
    def faulty_embed(waveforms):
        lengths = [len(waveform.samples) for waveform in waveforms]
        if max(lengths) * len(lengths) > n_samples:
            raise OutOfMemory("too little memory, as the test asked")
        return embed(waveforms)

    return faulty_embed


def unanswerable(embed, number):
    embeddings = itertools.count(1)

    def faulty_embed(waveforms):
        return [Unpackable() if next(embeddings) == number else e for e in embed(waveforms)]

    return faulty_embed


class Unpackable:
    def packed(self, *, normalize):
        raise ZeroDivisionError("a bug, as the test asked")


DECODER_FAULTS = {
    "decoder_crashes": crash,
    "decoder_exits": leave,
    "decoder_hangs": hang,
    "decoder_memory": run_out_of_memory,
}
ENCODER_FAULTS = {
    "device": at_batch(fail),
    "crash": at_batch(crash),
    "exit": at_batch(leave),
    "hang": at_batch(hang),
    "memory": too_much_for_memory,
    "response": unanswerable,
}
