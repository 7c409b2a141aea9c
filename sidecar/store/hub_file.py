"""A file of a repository on the Hugging Face hub, by the hub's own client.

The client knows ``HF_ENDPOINT``, proxies and tokens. It retries for half a minute where a host is
not reached at all, so its one quick question comes first. It cannot be interrupted: the transfer
runs in a thread of its own, and is abandoned there.
"""

from __future__ import annotations

import os
import tempfile
import threading
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from sidecar.store.assets import (
    POLL_S,
    AssetFile,
    Patience,
    SourceFailed,
    Watch,
    is_disk_full,
    largest_file_bytes,
    require_room,
)

_IMPORT_LIMIT_S = 60.0
_DEFAULT_ENDPOINT = "https://huggingface.co"


@dataclass(frozen=True, slots=True)
class HubFile:
    """``path`` in the repository ``repo`` at a commit, which pins it for ever."""

    repo: str
    revision: str
    path: str
    answer_limit_s: float = 8.0
    stall_limit_s: float = 30.0

    @property
    def name(self) -> str:
        """The hub's host, or what ``HF_ENDPOINT`` puts in its place."""
        return urllib.parse.urlsplit(os.environ.get("HF_ENDPOINT") or _DEFAULT_ENDPOINT).netloc

    def transfer_bytes(self, file: AssetFile) -> int:
        """The file itself."""
        return file.n_bytes

    def fetch(self, file: AssetFile, work: Path, watch: Watch) -> Path:
        """Download the file. See ``Source.fetch``."""
        require_room(work, file.n_bytes)
        # A folder of its own, where an abandoned transfer that wakes late spoils no other.
        folder = Path(tempfile.mkdtemp(dir=work))
        transfer = _HubTransfer(self, folder)
        transfer.start()
        n_bytes = 0
        while transfer.is_alive():
            transfer.join(POLL_S)
            n_bytes = max(n_bytes, largest_file_bytes(folder))
            watch(n_bytes)
            transfer.patience.check(n_bytes)
        if transfer.failure is not None:
            raise _source_failed(transfer.failure) from transfer.failure
        return folder / self.path


class _HubTransfer(threading.Thread):
    def __init__(self, source: HubFile, folder: Path) -> None:
        # A daemon: it never holds up the end of the process.
        super().__init__(name="hub-transfer", daemon=True)
        self._source = source
        self._folder = folder
        # Anew for each step; the first one is the client's import, from a cold disk perhaps.
        self.patience = Patience(_IMPORT_LIMIT_S, source.stall_limit_s)
        self.failure: Exception | None = None

    def run(self) -> None:
        # Read at the client's import. Xet's transfers know neither our proxies nor our patience.
        for switch in ("HF_HUB_DISABLE_XET", "HF_HUB_DISABLE_PROGRESS_BARS"):
            os.environ.setdefault(switch, "1")
        try:
            self._download()
        except Exception as error:  # noqa: BLE001 - the client's, its HTTP library's, the system's
            self.failure = error

    def _download(self) -> None:
        import huggingface_hub  # noqa: PLC0415 - half a second, and seldom needed

        source = self._source
        self.patience = Patience(source.answer_limit_s, source.stall_limit_s)
        url = huggingface_hub.hf_hub_url(source.repo, source.path, revision=source.revision)
        huggingface_hub.get_hf_file_metadata(url, timeout=source.answer_limit_s)
        self.patience = Patience(source.stall_limit_s, source.stall_limit_s)
        huggingface_hub.hf_hub_download(
            source.repo, source.path, revision=source.revision, local_dir=self._folder
        )


def _source_failed(error: Exception) -> SourceFailed:
    if isinstance(error, OSError) and is_disk_full(error):
        return SourceFailed("the disk is full", "disk_full")
    first_line = str(error).strip().partition("\n")[0]
    return SourceFailed(first_line[:300] or type(error).__name__)
