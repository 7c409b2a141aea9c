"""Who spoke when: from what is heard in chunks of ten seconds to the turns of a whole recording.

Here live the plan of the chunks, the speakers that each chunk has of its own, the clustering that
finds out which of them are one person, and the timeline that is made of them: all of it is pure.
The step behind the decoder hears the chunks, with a network that is loaded when it is first needed.
Streams are heard and told while they come (``live``). What embeds is not known here, and nothing of
requests.

Rooms: protocol, bundle, config, audio, engine, speech, store.
Libraries: numpy.
"""
