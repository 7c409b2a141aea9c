"""A file of a repository on the Hugging Face hub: a URL, and the user's token for that host.

The variables are the hub's own client's, so that mirrors and logins work here as they do there.
"""

from __future__ import annotations

import os
import urllib.parse
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sidecar.store.assets import AssetFile, SourceFailed, Watch
from sidecar.store.https_file import HttpsFile

_DEFAULT_ENDPOINT = "https://huggingface.co"
_TOKEN_VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
_YES = frozenset({"1", "ON", "YES", "TRUE"})


@dataclass(frozen=True, slots=True)
class HubFile:
    """``path`` in the repository ``repo`` at a commit, which pins it for ever."""

    repo: str
    revision: str
    path: str

    @property
    def name(self) -> str:
        """The hub's host, or what ``HF_ENDPOINT`` puts in its place."""
        return self._at_url().name or "the hub"

    def transfer_bytes(self, file: AssetFile) -> int:
        """The file itself."""
        return file.n_bytes

    def fetch(self, file: AssetFile, work: Path, watch: Watch) -> Path:
        """Download the file. See ``Source.fetch``."""
        located = self._at_url()
        if not located.url.startswith(("https://", "http://")):
            raise SourceFailed("HF_ENDPOINT does not begin with https:// or http://")
        return located.fetch(file, work, watch)

    def _at_url(self) -> HttpsFile:
        endpoint = os.environ.get("HF_ENDPOINT") or _DEFAULT_ENDPOINT
        path = urllib.parse.quote(f"{self.repo}/resolve/{self.revision}/{self.path}")
        return HttpsFile(f"{endpoint.rstrip('/')}/{path}", token=_token())


def _token() -> str | None:
    """The user's token, if there is one that the hub may have without being asked."""
    if os.environ.get("HF_HUB_DISABLE_IMPLICIT_TOKEN", "").upper() in _YES:
        return None
    token = next(filter(None, map(os.environ.get, _TOKEN_VARIABLES)), "") or _kept_token()
    token = token.strip()
    # Anything else is no token, and could not be sent in a header.
    is_sendable = token.isascii() and token.isprintable() and " " not in token
    return token if token and is_sendable else None


def _kept_token() -> str:
    """What a login left in the user's folder."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path("~", ".cache")
    home = os.environ.get("HF_HOME") or Path(cache, "huggingface")
    path = os.environ.get("HF_TOKEN_PATH") or Path(home, "token")
    with suppress(OSError, ValueError, RuntimeError):  # none, of no encoding, of no user's home
        return Path(path).expanduser().read_text("utf-8")
    return ""
