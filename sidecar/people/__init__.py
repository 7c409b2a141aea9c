"""The gallery of people: who is enrolled, with which prints, and whose voice it is.

Here live the gallery, its file (SQLite), the prints in memory, what becomes of an enrolment, what
``identify`` may add to a person, and exports. How a voice became an embedding is not known here,
and nothing of requests. Voice prints are biometric data: nothing of them is logged.

Rooms: protocol, long_path, scores.
Libraries: numpy.
"""
