"""A loader whose network comes when a test says so."""

from __future__ import annotations

from sidecar.engine.lazy_loader import LazyLoader


class FakeLoader:
    awaited, settling = LazyLoader.awaited, LazyLoader.settling

    def __init__(self, network=None):
        self.network = network
        self.is_loading = False
        self.failure = None
        self.asked = []

    @property
    def is_settled(self):
        return self.network is not None or self.failure is not None

    def begin(self):
        self.asked.append("begin")

    def need(self):
        self.asked.append("need")

    def loaded(self):
        if self.failure is not None:
            raise self.failure
        return self.network
