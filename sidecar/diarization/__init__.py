"""Who spoke when: from what is heard in chunks of ten seconds to the turns of a whole recording.

Here live the plan of the chunks, the speakers that each chunk has of its own, the clustering that
finds out which of them are one person, and the timeline that is made of them. All of it is pure:
the networks that hear and embed are run elsewhere.

Rooms: config.
Libraries: numpy.
"""
