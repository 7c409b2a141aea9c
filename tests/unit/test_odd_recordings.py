"""Recordings as people have them: decoded whole, with a word about what is odd, or refused."""

import io
import struct

import numpy as np
import pytest
import soundfile
from unit.flac_writer import flac_of
from unit.seekable_files import mp3_of, noise_of, without_mp3_tag
from unit.sound_files import (
    LIMITS,
    N_SAMPLES,
    SAMPLES,
    encoded,
    refusal_of,
    samples_of,
    warnings_of,
    with_flac_total,
    with_wav_size,
)

from sidecar.audio.formats.ogg_pages import with_checksum

WAV = encoded("WAV", "PCM_16")
FLAC = encoded("FLAC", "PCM_16", np.tile(SAMPLES, 5))
MP3 = mp3_of("CONSTANT", 1, 44_100)
MP3_SAMPLES = samples_of(MP3)
BARE_MP3 = without_mp3_tag(MP3)
TAG = b"ID3\x03\0\0\0\0\x02\0" + bytes(256)
REVERSED = encoded("FLAC", "PCM_16", SAMPLES[::-1])


def check(data, expected, *kinds, atol=0.0):
    """``data`` decodes to ``expected``, and that is told of it; a strict host has it refused."""
    np.testing.assert_allclose(samples_of(data), expected, rtol=0, atol=atol)
    assert set(warnings_of(data)) == set(kinds)
    if kinds:
        assert refusal_of(data, strict=True).kind in ("truncated", "corrupt")
    else:
        samples_of(data, strict=True)


# WAV and its kin


@pytest.mark.parametrize("n_more", [1, 2, 36, 44])
def test_wav_whose_size_is_too_large(n_more):
    check(with_wav_size(WAV, 2 * N_SAMPLES + n_more), samples_of(WAV), "missing_end")


def test_wav_of_a_recorder_that_crashed():
    check(WAV[:-9_000], samples_of(WAV)[:-4_500], "missing_end")


def test_a_tag_before_wav_costs_no_sample():
    for tag in (TAG, TAG * 3, b"ID3\x03\0\0\0\x12\x40\0" + bytes(0x12 << 14 | 0x40 << 7)):
        check(tag + WAV, samples_of(WAV), "skipped_bytes")


def test_a_little_text_behind_wav_is_left_out():
    check(WAV + b"hello" * 100, samples_of(WAV), "trailing_data")


@pytest.mark.parametrize("behind", [WAV, b"hello" * 10_000])
def test_much_behind_wav_is_never_left_out_in_silence(behind):
    error = refusal_of(WAV + behind)
    assert error.kind == "truncated"
    assert error.details["trailing_bytes"] == len(behind)


def test_wav_whose_size_is_too_small_is_refused():
    offset = WAV.index(b"data") + 4
    small = WAV[:offset] + struct.pack("<I", 1_000) + WAV[offset + 4 :]
    assert refusal_of(small).kind == "truncated"


def test_wav_with_samples_in_two_places_is_refused():
    more = b"data" + struct.pack("<I", 200) + bytes(200)
    assert refusal_of(WAV + more).kind == "corrupt"


@pytest.mark.parametrize("name", [b"JUNK", b"LIST"])
def test_a_chunk_of_odd_size_may_lack_its_padding(name):
    check(WAV[:12] + name + struct.pack("<I", 3) + b"abc" + WAV[12:], samples_of(WAV))


def test_samples_may_come_before_their_format():
    check(WAV[:12] + WAV[36:] + WAV[12:36], samples_of(WAV))


@pytest.mark.parametrize("block_align", [0, 4])
def test_a_wrong_block_alignment_does_not_matter(block_align):
    check(WAV[:32] + struct.pack("<H", block_align) + WAV[34:], samples_of(WAV))


def test_bw64_is_read_as_rf64_is():
    rf64 = encoded("RF64", "PCM_16")
    check(b"BW64" + rf64[4:], samples_of(rf64))


@pytest.mark.parametrize("container", ["AIFF", "AU", "CAF", "W64", "NIST"])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_other_files_of_samples(container, subtype):
    data = encoded(container, subtype)
    expected = samples_of(encoded("WAV", subtype))
    check(data, expected)
    np.testing.assert_array_equal(samples_of(data, start_s=0.3), expected[4_800:])
    assert set(warnings_of(data[:-6_000])) == {"missing_end"}
    assert refusal_of(data + data).kind == "truncated"


@pytest.mark.parametrize(
    ("container", "endian"),
    [
        *(("AIFF", "FILE"), ("WAV", "LITTLE"), ("WAV", "BIG")),
        *(("AU", "LITTLE"), ("AU", "BIG"), ("CAF", "LITTLE"), ("CAF", "BIG")),
    ],
)
@pytest.mark.parametrize("subtype", ["ULAW", "ALAW", "FLOAT", "DOUBLE"])
def test_codings_of_samples(container, subtype, endian):
    file = io.BytesIO()
    soundfile.write(file, SAMPLES, 16_000, format=container, subtype=subtype, endian=endian)
    check(file.getvalue(), samples_of(encoded("WAV", subtype)))


def test_rifx_has_the_high_byte_first():
    file = io.BytesIO()
    soundfile.write(file, SAMPLES, 16_000, format="WAV", subtype="PCM_16", endian="BIG")
    assert file.getvalue()[:4] == b"RIFX"
    check(file.getvalue(), samples_of(WAV))


def test_mp3_in_wav():
    fmt = struct.pack("<HHIIHH", 0x55, 1, 44_100, 8_000, 1, 0)
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt
    body += b"data" + struct.pack("<I", len(BARE_MP3)) + BARE_MP3
    wav = b"RIFF" + struct.pack("<I", len(body)) + body
    np.testing.assert_array_equal(samples_of(wav), samples_of(BARE_MP3))
    assert refusal_of(wav + wav).kind == "truncated"


def test_a_double_beyond_float32_is_no_nan():
    error = refusal_of(encoded("WAV", "DOUBLE", np.full(N_SAMPLES, 1e300)))
    assert error.kind == "out_of_range"
    nan = np.full(N_SAMPLES, np.nan)
    assert refusal_of(encoded("WAV", "DOUBLE", nan)).kind == "non_finite"


# FLAC


@pytest.mark.parametrize(
    "behind",
    [b"\0", b"\1", bytes(4096), b"TAG" + bytes(125), b"APETAGEX" + bytes(24), b"x" * 99_999],
)
def test_what_follows_flac_is_left_out(behind):
    check(FLAC + behind, samples_of(FLAC), "trailing_data")


@pytest.mark.parametrize("n_stated", [1, 26_560, 79_999])
def test_flac_that_counts_too_few_samples_is_decoded_whole(n_stated):
    check(with_flac_total(FLAC, n_stated), samples_of(FLAC))


@pytest.mark.parametrize("n_stated", [0, 80_000])
def test_joined_flac_is_decoded_whole(n_stated):
    both = np.concatenate([samples_of(FLAC), samples_of(REVERSED)])
    check(with_flac_total(FLAC, n_stated) + REVERSED, both)


@pytest.mark.parametrize("has_header", [True, False])
def test_flac_whose_rate_changes_goes_on(has_header):
    low, high = flac_of(SAMPLES[:8_000], 16_000), flac_of(np.repeat(SAMPLES[8_000:], 2), 32_000)
    joined = low + (high if has_header else high[42:])
    decoded = samples_of(joined)
    assert abs(len(decoded) - N_SAMPLES) <= 1
    np.testing.assert_array_equal(decoded[:8_000], samples_of(low))


def test_flac_without_its_beginning_is_decoded_from_its_first_frame():
    check(flac_of(SAMPLES, 16_000)[42:], samples_of(flac_of(SAMPLES, 16_000)), "skipped_bytes")


def test_flac_of_which_a_frame_is_missing_is_refused():
    frames = flac_of(SAMPLES, 16_000, block=1_000, as_frames=True)
    assert refusal_of(b"".join(frames[:5] + frames[6:])).kind == "corrupt"


def test_flac_whose_last_frame_is_tiny_is_whole():
    silent = np.concatenate([SAMPLES, np.zeros(100, np.float32)])
    assert len(samples_of(encoded("FLAC", "PCM_16", silent))) == len(silent)


# MP3


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE", "AVERAGE"])
@pytest.mark.parametrize("channels", [1, 2])
def test_mp3_without_a_tag_is_decoded_whole(mode, channels):
    tagged = mp3_of(mode, channels, 44_100)
    decoded, expected = samples_of(without_mp3_tag(tagged)), samples_of(tagged)
    assert len(expected) < len(decoded) < len(expected) + 2_000


def test_joined_mp3_is_decoded_whole():
    check_whole = samples_of(MP3 + MP3)
    assert abs(len(check_whole) - 2 * len(MP3_SAMPLES)) < 2_000
    np.testing.assert_array_equal(check_whole[: len(MP3_SAMPLES) - 4_000], MP3_SAMPLES[:-4_000])


@pytest.mark.parametrize(("channels", "rate_hz"), [(2, 44_100), (1, 48_000), (2, 22_050)])
def test_joined_mp3_of_other_kinds_is_decoded_whole(channels, rate_hz):
    other = mp3_of("CONSTANT", channels, rate_hz)
    n_seconds = (len(MP3_SAMPLES) + len(samples_of(other))) / 16_000
    assert len(samples_of(MP3 + other)) / 16_000 == pytest.approx(n_seconds, abs=0.1)


def test_a_tag_that_counts_too_few_frames_is_not_believed():
    place = MP3.index(b"Info") + 8
    few = MP3[:place] + struct.pack(">I", 10) + MP3[place + 4 :]
    decoded = samples_of(few)
    assert len(decoded) >= len(MP3_SAMPLES)
    # What the encoder has put behind the audio stays, so the last samples differ.
    n_same = len(MP3_SAMPLES) - 1_000
    np.testing.assert_array_equal(decoded[:n_same], MP3_SAMPLES[:n_same])
    assert warnings_of(few) == {}


def test_frames_that_a_tag_promises_are_missed():
    check(MP3[:-1_000], samples_of(MP3[:-1_000]), "missing_end")


@pytest.mark.parametrize(
    "front", [TAG + bytes(417), TAG + bytes(3_000), bytes(100), b"\x12\x34" * 50], ids=len
)
def test_junk_before_mp3_is_left_out(front):
    check(front + BARE_MP3, samples_of(BARE_MP3), "skipped_bytes")


def test_two_tags_before_mp3():
    check(TAG + TAG + BARE_MP3, samples_of(BARE_MP3))


def test_a_tag_that_claims_more_than_there_is_hides_no_audio():
    claims_much = b"ID3\x03\0\0\x7f\x7f\x7f\x7f" + bytes(20)
    both = BARE_MP3 + claims_much + BARE_MP3
    assert len(samples_of(both)) == pytest.approx(2 * len(samples_of(BARE_MP3)), abs=2)
    assert set(warnings_of(both)) == {"skipped_bytes"}
    assert len(samples_of(claims_much + BARE_MP3)) == len(samples_of(BARE_MP3))


def test_zeros_behind_mp3_are_left_out():
    check(BARE_MP3 + bytes(100_000), samples_of(BARE_MP3), "trailing_data")


def test_mp3_whose_beginning_is_missing():
    whole = without_mp3_tag(mp3_of("CONSTANT", 1, 16_000))
    decoded = samples_of(whole[1_000:])
    n_missing = len(samples_of(whole)) - len(decoded)
    assert 0 < n_missing < 16 * 576
    expected = samples_of(whole)[n_missing:]
    # Of the first frames some data are missing.
    np.testing.assert_allclose(decoded[4_000:], expected[4_000:], rtol=0, atol=1e-6)
    assert set(warnings_of(whole[1_000:])) == {"skipped_bytes"}


@pytest.mark.parametrize("n_bytes", [500, 1_500, 4_096])
def test_a_hole_in_mp3_costs_what_was_in_it(n_bytes):
    middle = len(BARE_MP3) // 2
    holed = BARE_MP3[:middle] + bytes(n_bytes) + BARE_MP3[middle + n_bytes :]
    n_lost = len(samples_of(BARE_MP3)) - len(samples_of(holed))
    assert 0 < n_lost < 16_000 * (0.06 + n_bytes / 8_000)
    assert set(warnings_of(holed)) == {"skipped_bytes"}
    assert refusal_of(holed, strict=True).kind == "corrupt"


# Ogg


def with_input_rate(opus, rate_hz):
    """``opus`` whose header states that this was the rate of what was recorded."""
    end = opus.index(b"OggS", 4)
    page = bytearray(opus[:end])
    struct.pack_into("<I", page, page.index(b"OpusHead") + 12, rate_hz)
    return with_checksum(bytes(page)) + opus[end:]


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_chained_ogg_is_decoded_whole(subtype):
    links = [encoded("OGG", subtype, noise[:, 0]) for noise in (noise_of(20_000), noise_of(9_000))]
    expected = np.concatenate([samples_of(link) for link in links])
    # One stream of the resampler sees across the seam.
    check(b"".join(links), expected, atol=0.0 if subtype == "VORBIS" else 0.2)


def test_chained_ogg_of_two_rates_and_channels_is_decoded_whole():
    links = [
        encoded("OGG", "VORBIS", noise_of(16_000), 16_000),
        encoded("OGG", "VORBIS", noise_of(44_100, 2), 44_100),
    ]
    assert len(samples_of(b"".join(links))) == pytest.approx(32_000, abs=2)


@pytest.mark.parametrize("rate_hz", [0, 8_000, 44_100])
def test_the_input_rate_of_opus_does_not_matter(rate_hz):
    opus = encoded("OGG", "OPUS")
    check(with_input_rate(opus, rate_hz), samples_of(opus))


def test_a_damaged_page_is_told():
    ogg = bytearray(encoded("OGG", "VORBIS", noise_of(200_000)[:, 0]))
    ogg[len(ogg) // 2] ^= 1
    assert set(warnings_of(bytes(ogg))) == {"skipped_bytes"}
    assert refusal_of(bytes(ogg), strict=True).kind == "corrupt"


def test_ogg_that_is_cut_is_told():
    ogg = encoded("OGG", "VORBIS", noise_of(200_000)[:, 0])
    assert set(warnings_of(ogg[: len(ogg) // 2])) == {"missing_end"}
    assert refusal_of(ogg[: len(ogg) // 2], strict=True).kind == "truncated"


def test_a_link_that_is_cut_between_two_pages_is_told():
    ogg = encoded("OGG", "VORBIS", noise_of(200_000)[:, 0])
    cut = ogg[: ogg.rindex(b"OggS")]
    assert set(warnings_of(cut + ogg)) == {"missing_end"}


def test_a_page_that_is_cut_leaves_nothing_or_is_told():
    ogg = encoded("OGG", "VORBIS")
    error = refusal_of(ogg[:-1_000])
    assert error.kind == "truncated"
    assert "nothing is left" in error.message


def test_flac_in_ogg_is_unwrapped():
    flac = flac_of(SAMPLES, 16_000, block=1_000, as_frames=True)
    header, frames = flac[0], flac[1:]
    first = b"\x7fFLAC\x01\x00\x00\x00" + header
    packets = [first, b"\x84\x00\x00\x00", *frames]
    ogg = b"".join(
        _page(packet, number, is_last=number == len(packets) - 1)
        for number, packet in enumerate(packets)
    )
    check(ogg, samples_of(b"".join(flac)))
    np.testing.assert_array_equal(samples_of(ogg + ogg), np.tile(samples_of(ogg), 2))


def _page(packet, number, *, is_last):
    flags = (2 if number == 0 else 0) | (4 if is_last else 0)
    lacing = bytes([255] * (len(packet) // 255) + [len(packet) % 255])
    head = struct.pack("<5sBqIIIB", b"OggS\0", flags, 0, 7, number, 0, len(lacing))
    return with_checksum(head + lacing + packet)


def test_whatever_was_joined_lasts_as_long_as_its_parts():
    for container in ("FLAC", "OGG", "MP3"):
        data = encoded(container, None, noise_of(32_000)[:, 0])
        n_samples = len(samples_of(data, LIMITS))
        assert len(samples_of(data * 3, LIMITS)) >= 3 * n_samples
