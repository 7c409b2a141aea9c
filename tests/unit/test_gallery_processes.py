"""Real processes on one gallery: killed at any moment, or several at once."""

from __future__ import annotations

from gallery_processes import DIM, MODEL, audios_in, kill_while_it_enrols, run_together
from unit.gallery_voices import AUDIO, Speaker

from protocol.gallery_params import EnrollParams
from sidecar.people.gallery import Gallery


def test_what_was_acknowledged_survives_a_kill(tmp_path):
    """200 kills: gallery_processes.py."""
    told = [kill_while_it_enrols(tmp_path / "people.db", seed)[0] for seed in range(12)]
    assert sum(told) > 12


def test_several_processes_begin_and_fill_one_gallery(tmp_path):
    run_together(tmp_path / "people.db", n_processes=4, n_audios=3)
    assert sorted(audios_in(tmp_path / "people.db").values()) == [3, 3, 3, 3]


def test_several_processes_lose_no_update_of_one_person(tmp_path):
    gallery = Gallery(tmp_path / "people.db", MODEL, DIM, None)
    person = gallery.enroll(EnrollParams(name="Anna", audio=AUDIO), [Speaker(1).says()], None).id
    gallery.close()
    run_together(tmp_path / "people.db", n_processes=3, n_audios=20, person=person)
    audios = audios_in(tmp_path / "people.db")
    assert audios.pop(person) == 61
    assert list(audios.values()) == [20, 20, 20]
