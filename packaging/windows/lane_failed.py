"""The error that ends the lane."""


class LaneFailed(Exception):
    """A step did not succeed; the message says why."""
