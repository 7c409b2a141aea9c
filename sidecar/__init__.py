"""speaker-sidecar: a child process that turns speech into speaker embeddings."""

__version__ = "0.1.0"
