"""Speech in audio: where it is, and how good it is for telling who speaks.

Rooms: protocol, config, audio.
Libraries: numpy.
"""
