"""Requests on their way: admitted, decoded, batched, embedded, and each answered exactly once.

Here live the server, its dispatcher, the pipeline and its scheduler, the outbox, the reports, and
the ways in which the process ends. Nothing heavier than psutil may be imported when these modules
are, since the reader waits for them. How audio is decoded and embedded is the concern of the rooms
below.

Rooms: protocol, config, audio, diarization, engine, hardware, people, scores, speech, wire.
Libraries: psutil.
"""
