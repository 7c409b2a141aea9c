"""The wire contract of speaker-sidecar, pure: the standard library and msgpack, no I/O, no threads.

``windows_job`` alone is no part of the contract: it is what both sides do on Windows, so that
nothing outlives the host. ``python`` and ``node`` are the hosts that speak it; they start processes
and have threads.
``PROTOCOL.md`` beside this file is the specification; ``vectors/`` holds golden frames for it.
"""
