"""How often a stream is heard. Imports no numpy."""

from sidecar.config import SAMPLE_RATE_HZ

HOP_S = 0.25
HOP_SAMPLES = round(HOP_S * SAMPLE_RATE_HZ)
