"""The wire contract of speaker-sidecar, pure: the standard library and msgpack, no I/O, no threads.

``PROTOCOL.md`` beside this file is the specification; ``vectors/`` holds golden frames for it.
"""
