"""The host in Python: starts a sidecar and talks to it. The twin of the npm package in ``node``.

It needs nothing of the sidecar: the standard library, msgpack and the contract in ``protocol``.
"""

from protocol.python.client import ChildGone, RemoteError, SpeakerSidecar
from protocol.python.embedding import Embedding, Voice, WindowEmbeddings

__all__ = [
    "ChildGone",
    "Embedding",
    "RemoteError",
    "SpeakerSidecar",
    "Voice",
    "WindowEmbeddings",
]
