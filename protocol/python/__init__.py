"""The host in Python: starts a sidecar and talks to it. The twin of the npm package in ``node``.

It needs nothing of the sidecar: the standard library, msgpack and the contract in ``protocol``.
"""

from protocol.params import FileAudio, PathAudio, PcmAudio, StoredEmbedding
from protocol.python.client import SpeakerSidecar
from protocol.python.diarization import Diarization, Speaker
from protocol.python.embedding import Embedding, Voice, WindowEmbeddings, stored_embedding
from protocol.python.errors import ChildGone, RemoteError
from protocol.python.live import Live, LiveTurn
from protocol.python.people import People

__all__ = [
    "ChildGone",
    "Diarization",
    "Embedding",
    "FileAudio",
    "Live",
    "LiveTurn",
    "PathAudio",
    "PcmAudio",
    "People",
    "RemoteError",
    "Speaker",
    "SpeakerSidecar",
    "StoredEmbedding",
    "Voice",
    "WindowEmbeddings",
    "stored_embedding",
]
