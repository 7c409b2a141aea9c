"""Audio as hosts send it, to waveforms as networks take them: mono, 16 kHz, float32.

Here live the decoder, the readers of PCM and of files, the rules for paths, the crop, and the plan
of windows. Everything that comes in is hostile until it was checked here. What the samples are for
is not known here: nothing of requests, networks or devices may come in.

Rooms: protocol, config, long_path.
Libraries: av, numpy, soundfile, soxr.
"""
