"""Whether somebody speaks in an audio, where, and how good the audio is for telling who.

Here live the detector, the rule that makes segments of what it hears, its loading when it is first
needed, the step behind the decoder that hears each whole audio, and the quality. Who is heard is
not known here: nothing of embeddings, people or requests may come in.

Rooms: protocol, config, audio, engine, store.
Libraries: numpy.
"""
