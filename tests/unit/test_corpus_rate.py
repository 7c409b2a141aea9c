import pytest

from sidecar.corpus.rate import Rate, Tally, clock


def test_a_line_says_how_far_how_fast_and_for_how_long():
    rate = Rate(n_all=1000, n_before=100)
    rate.add(Tally(), 50.0)
    rate.add(Tally(rows=200, failures=3, audio_s=1800.0, busy_s=9.0), 60.0)
    assert str(rate) == (
        "300 of 1,000 (30%), 20.0 a second, 180 h of audio an hour, 35 s left, 3 failed"
    )
    assert rate.summary() == (
        "197 embedded, 3 failed, 0.50 h of audio in 10 s: 20.0 a second, 180 h of audio an hour "
        "(200 h by each encoder)"
    )


def test_nothing_is_known_before_the_first_block():
    rate = Rate(n_all=10, n_before=4)
    for at in (1.0, 2.0):  # two encoders begin
        rate.add(Tally(), at)
        assert str(rate) == "4 of 10 (40%)"


def test_the_time_runs_from_when_the_first_encoder_begins():
    rate = Rate(n_all=4, n_before=0)
    rate.add(Tally(), 100.0)
    rate.add(Tally(rows=1, audio_s=3600.0, busy_s=200.0), 300.0)
    assert str(rate) == "1 of 4 (25%), 18 an hour, 18 h of audio an hour, 10 min left, 0 failed"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (99, "99 s"), (600, "10 min"), (7200, "2.0 h"), (200_000, "2.3 days")],
)
def test_a_duration_as_one_says_it(seconds, said):
    assert clock(seconds) == said
