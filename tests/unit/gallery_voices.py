"""Made voices for the gallery: speakers are directions, and an audio lies near its speaker's."""

from __future__ import annotations

import contextlib
import math
import sqlite3

import numpy as np
from systems import IS_WINDOWS

from protocol.gallery_params import EnrollParams, IdentifyParams, PeopleParams, VerifyParams
from protocol.params import PcmAudio
from protocol.quality import Quality
from sidecar.people.gallery import Gallery
from sidecar.people.voices import Voice

MODEL = "made.0123456789abcdef"
DIM = 192
AUDIO = PcmAudio(b"", "f32le", 16_000, 1)
CLEAN = Quality(5.0, -20.0, 30.0, 0.0, 7000.0, None, ())


class PlainCalibration:
    """Stands for a model's: strangers' cosines lie about 0, one person's above 0.4."""

    def llr(self, cosine, speech_s_a, speech_s_b):
        return 30 * (cosine - 0.4)

    def llrs(self, cosines, speech_s_a, speech_s_b):
        return 30 * (np.asarray(cosines) - 0.4)

    def threshold(self, far, speech_s_a, speech_s_b):
        return -math.log(far) / 4


class Speaker:
    """One made person, each time a little different: cosines of two audios are about 0.8."""

    def __init__(self, seed, dim=DIM):
        self._random = np.random.default_rng(seed)
        self.direction = self._unit(dim)

    def _unit(self, dim):
        made = self._random.standard_normal(dim)
        return made / np.linalg.norm(made)

    def says(self, speech_s=5.0, away=0.5, model=MODEL):
        heard = self.direction + away * self._unit(len(self.direction))
        return Voice((7 * heard).astype(np.float32), speech_s, model)


# Closed at the end of a test, by its conftest.
OPENED = []


PLAIN = PlainCalibration()


def opened(file=None, model=MODEL, calibration=PLAIN, dim=DIM, **options):
    OPENED.append(Gallery(file, model, dim, calibration, **options))
    return OPENED[-1]


def enrol(gallery, name, *voices, quality=None, **params):
    return gallery.enroll(EnrollParams(name=name, audio=AUDIO, **params), voices, quality)


def identify(gallery, voice, quality=None, **params):
    return gallery.identify(IdentifyParams(AUDIO, **params), voice, quality)


def verify(gallery, person_id, voice, quality=None, **params):
    return gallery.verify(VerifyParams(person_id, AUDIO, **params), voice, quality)


def kinds(result):
    return [warning.kind for warning in result.warnings]


def bytes_of(file):
    """All that is on the disk of it; on Windows without -shm, which is locked, and has numbers."""
    found = sorted(file.parent.glob(f"{file.name}*"))
    return b"".join(
        path.read_bytes() for path in found if not (IS_WINDOWS and path.name.endswith("-shm"))
    )


@contextlib.contextmanager
def database(file):
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        yield connection.execute
    finally:
        connection.close()


def names(gallery):
    return [person.name for person in gallery.people(PeopleParams()).people]
