"""What kind of audio file some bytes are, by their beginning."""

from __future__ import annotations

from dataclasses import dataclass

from sidecar.audio.formats.audio_bytes import AudioBytes
from sidecar.audio.formats.flac_frames import MAX_HEADER_BYTES, read_frame_header
from sidecar.audio.formats.mp3_runs import looks_like_mp3
from sidecar.audio.formats.plain_headers import W64_RIFF

_HEAD_BYTES = 64


@dataclass(frozen=True, slots=True)
class Kind:
    """A format.

    Attributes:
        name: for people.
        demuxer: FFmpeg's name of what reads it, where that is needed; empty: nothing does.
    """

    name: str
    demuxer: str = ""


OGG, MP3, FLAC = Kind("OGG", "ogg"), Kind("MP3"), Kind("FLAC", "flac")
WAV, AIFF, CAF = Kind("WAV", "wav"), Kind("AIFF", "aiff"), Kind("CAF", "caf")
AU, SPHERE, W64 = Kind("AU", "au"), Kind("SPHERE", "nistsphere"), Kind("W64", "w64")

_MP4 = Kind("MP4, M4A, 3GP or MOV", "mov")
# Boxes that are empty.
_SPACE = (b"free", b"skip", b"wide")
# (offset, magic, kind), the first that fits.
_KINDS = (
    (0, b"fLaC", FLAC),
    (0, b"OggS", OGG),
    (0, b"caff", CAF),
    (0, b".snd", AU),
    (0, b"dns.", AU),
    (0, b"NIST_1A\n", SPHERE),
    (0, W64_RIFF, W64),
    (0, b"\x1aE\xdf\xa3", Kind("WebM or Matroska", "matroska")),
    (4, b"ftyp", _MP4),
    (4, b"moov", _MP4),
    (4, b"mdat", _MP4),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Kind("WMA or ASF", "asf")),
    (0, b"#!AMR", Kind("AMR", "amr")),
    (0, b"MAC ", Kind("Monkey's Audio (APE)", "ape")),
    (0, b"TTA1", Kind("True Audio (TTA)", "tta")),
    (0, b"wvpk", Kind("WavPack", "wv")),
    (0, b"MPCK", Kind("Musepack", "mpc8")),
    (0, b"MP+", Kind("Musepack", "mpc")),
    (0, b"tBaK", Kind("TAK", "tak")),
    (0, b"ADIF", Kind("AAC in ADIF")),
    (0, b"DSD ", Kind("DSF")),
    (0, b"FRM8", Kind("DSDIFF")),
    (0, b"ajkg", Kind("Shorten")),
    (0, b"MThd", Kind("MIDI")),
)
# By the names of the whole and of what is in it.
_CHUNKED = {
    **{(name, b"WAVE"): WAV for name in (b"RIFF", b"RIFX", b"RF64", b"BW64")},
    **{(b"FORM", name): AIFF for name in (b"AIFF", b"AIFC")},
    (b"RIFF", b"AVI "): Kind("AVI", "avi"),
}
_AAC = Kind("AAC", "aac")
_ADTS_FRAMES = 3


def identify(source: AudioBytes) -> Kind | None:
    """The kind of audio file that ``source`` is; None: it is not recognised."""
    head = source.at(0, _HEAD_BYTES)
    kind = _CHUNKED.get((head[:4], head[8:12]))
    if kind is not None:
        return kind
    if head[4:8] in _SPACE:
        # So may a text begin; the box that follows tells.
        offset = int.from_bytes(head[:4], "big")
        return _MP4 if source.at(offset + 4, 4) in (b"ftyp", b"moov", b"mdat") else None
    for offset, magic, kind in _KINDS:
        if head[offset:].startswith(magic):
            return kind
    # A FLAC whose header is missing begins like AAC.
    if read_frame_header(head[:MAX_HEADER_BYTES]) is not None:
        return FLAC
    if _looks_like_adts(source):
        return _AAC
    return MP3 if looks_like_mp3(source, 0) else None


def _looks_like_adts(source: AudioBytes) -> bool:
    """Whether frames of AAC follow one another from the beginning.

    Format: ISO/IEC 14496-3, section 1.A.3.2: twelve bits of sync, layer 0; and 13 bits of length.
    """
    offset = 0
    for _ in range(_ADTS_FRAMES):
        header = source.at(offset, 7)
        if len(header) < 7:
            return 0 < offset == source.n_bytes
        n_bytes = (header[3] & 0x3) << 11 | header[4] << 3 | header[5] >> 5
        if header[0] != 0xFF or header[1] & 0xF6 != 0xF0 or n_bytes < 7:
            return False
        offset += n_bytes
    return True
