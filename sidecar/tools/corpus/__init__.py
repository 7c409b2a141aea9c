"""``speaker-sidecar corpus``: an archive of recordings, embedded, searched, clustered, checked.

``command`` is what a person runs; each of its parts is a module of its name.
"""

from sidecar.tools.corpus.command import add_arguments, run

__all__ = ["add_arguments", "run"]
