"""Takes the working folder off the import path, where ``python -m`` has put it first.

The working folder is the host's, and may be anything: a ``protocol.py`` that lies there is not ours
to run. Importing this module does it, so it comes before all other imports of ``__main__``.
"""

from __future__ import annotations

import contextlib
import os
import sys

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120

# It may have been deleted meanwhile: then nothing lies there.
with contextlib.suppress(OSError):
    _folder = os.getcwd()  # noqa: PTH109
    # In a checkout the two are one, and everything is to be found there.
    if sys.path and sys.path[0] in {"", _folder} and _folder != _ROOT:
        del sys.path[0]
