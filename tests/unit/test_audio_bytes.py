"""The bytes of a file: a short one is read once, and a longer one piece by piece."""

from __future__ import annotations

import io

import numpy as np
import pytest
from unit.sound_files import LOSSY, SIXTEEN_BIT, encoded, samples_of

from sidecar.audio.formats import audio_bytes
from sidecar.audio.formats.audio_bytes import AudioBytes

DATA = bytes(range(10))


def source_of(data):
    return AudioBytes(io.BytesIO(data), lambda: False)


@pytest.fixture(params=[0, len(DATA) - 1, len(DATA)], autouse=True)
def short_bytes(request, monkeypatch):
    monkeypatch.setattr(audio_bytes, "_SHORT_BYTES", request.param)


def test_any_stretch_is_there():
    source = source_of(DATA)
    for start in range(12):
        for n_bytes in range(12):
            assert source.at(start, n_bytes) == DATA[start : start + n_bytes]


def test_what_is_shown_is_a_row_of_its_own():
    shown = source_of(DATA).shown(b"ab", range(2, 5), b"", range(8, 20)).shown(range(1, 6))
    assert shown.n_bytes == 5
    assert shown.at(0, 9) == b"b\2\3\4\10"


def test_of_nothing_nothing_is_shown():
    shown = source_of(DATA).shown(b"", range(3, 3))
    assert shown.n_bytes == 0
    assert shown.at(0, 9) == b""


@pytest.mark.parametrize(("container", "subtype"), [*SIXTEEN_BIT, *LOSSY])
def test_a_file_is_decoded_alike(container, subtype, monkeypatch):
    data = encoded(container, subtype)
    found = samples_of(data)
    monkeypatch.setattr(audio_bytes, "_SHORT_BYTES", len(data))
    np.testing.assert_array_equal(found, samples_of(data))
