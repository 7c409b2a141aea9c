"""Odd recordings over the wire: what is told of them, by bytes and by path."""

import io

import numpy as np
import pytest
import soundfile

from protocol.params import FileAudio, PathAudio
from protocol.python import RemoteError, SpeakerSidecar

RNG = np.random.default_rng(0)
NOISE = (0.1 * RNG.standard_normal((32_000, 1))).astype(np.float32)


def encoded(container, samples=NOISE, rate_hz=16_000):
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format=container)
    return file.getvalue()


ODD = {
    "missing_end": encoded("WAV")[:-4_000],
    "trailing_data": encoded("FLAC") + bytes(100),
    "skipped_bytes": bytes(100) + encoded("MP3"),
}


@pytest.fixture(scope="module")
def sidecar(light_argv):
    with SpeakerSidecar.start(light_argv) as sidecar:
        sidecar.wait_until_ready(60)
        yield sidecar


@pytest.mark.parametrize("kind", ODD)
def test_what_is_odd_is_told_by_every_method(sidecar, kind, tmp_path):
    path = tmp_path / "speech"
    path.write_bytes(ODD[kind])
    by_bytes, by_path = FileAudio(ODD[kind]), PathAudio(str(path))
    results = [
        sidecar.embed(by_bytes),
        sidecar.embed(by_path),
        sidecar.embed_batch([by_bytes])[0],
        sidecar.embed_windows(by_path, window_s=1.0, hop_s=0.5),
        sidecar.embed_segments(by_path, [(0.0, 1.0), (0.5, 9.0)]),
        sidecar.probe(by_bytes),
        sidecar.probe(by_path),
    ]
    if kind == "trailing_data":
        # Segments end before the file does.
        results.remove(results[4])
    for result in results:
        assert [warning.kind for warning in result.warnings] == [kind]
    assert results[0].embedding == results[1].embedding
    [warning] = sidecar.score(encoded("WAV"), by_path).warnings
    assert warning.details["voice"] == "b"


@pytest.mark.parametrize("kind", ODD)
def test_a_strict_host_has_it_refused(sidecar, kind):
    with pytest.raises(RemoteError) as caught:
        sidecar.embed(FileAudio(ODD[kind], strict=True))
    assert caught.value.code == -32010
    assert caught.value.kind in ("truncated", "corrupt")


def test_channels(sidecar):
    both = np.concatenate([NOISE, -NOISE], axis=1)
    result = sidecar.embed(encoded("WAV", both))
    assert result.channel_correlation == pytest.approx(-1.0)
    [warning] = result.warnings
    assert warning.kind == "opposite_phase"
    louder = FileAudio(encoded("WAV", both), channel=warning.details["channel"])
    assert result.embedding == sidecar.embed(louder).embedding
    with pytest.raises(RemoteError) as caught:
        sidecar.embed(FileAudio(encoded("WAV", both), channel=2))
    assert caught.value.kind == "unsupported_channels"


def test_a_probe_is_answered_while_the_model_loads(start_light, gate):
    host = start_light(LIGHT_LOAD_GATE=str(gate))
    request_id = host.request("probe", {"audio": {"file": encoded("FLAC")}})
    answer = host.answer(request_id)
    assert answer.result["duration_s"] == 2.0
    gate.touch()
