"""What ends a build."""


class BuildFailed(Exception):
    """There is no bundle; the text says why, and what to do."""
