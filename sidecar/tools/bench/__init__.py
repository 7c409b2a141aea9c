"""``speaker-sidecar bench``: how fast this machine turns speech into embeddings, and against what.

``command`` is what a person runs; ``plan`` says who is measured at what, ``measurement`` lets the
``contenders`` take turns, ``report`` shows what came of it. A contender is a sidecar or one of the
``engines``.
"""

from sidecar.tools.bench.command import add_arguments, run

__all__ = ["add_arguments", "run"]
