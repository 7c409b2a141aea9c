"""``speaker-sidecar bench``: how fast this machine turns speech into embeddings, and against what.

``command`` is what a person runs; ``driver`` starts the contenders and lets them take turns;
``tasks`` says what is measured, ``figures`` what is made of the times, ``report``, ``table`` and
``picture`` how they are shown. What runs inside of a contender's own process is in ``engines``.
"""

from sidecar.tools.bench.command import add_arguments, run

__all__ = ["add_arguments", "run"]
