"""What the child says about its own time."""

from __future__ import annotations

from raw_host import pcm


def test_a_millisecond_of_work_is_not_told_as_none(start_light):
    """Windows has a clock that moves every 15.6 ms: most of these would be 0, and some 15 or 16."""
    host = start_light(LIGHT_EMBED_S="0.001")
    host.wait_for_state("ready")
    told = [host.call("embed", {"audio": pcm()}).result["timings"] for _ in range(20)]
    assert min(timings["compute_ms"] for timings in told) >= 0.9, told
    assert min(timings["decode_ms"] for timings in told) > 0, told
