"""What cosines mean: likelihood ratios, decisions, and how good both are.

Here live the calibrations of the models, what is decided at a host's operating point, the measures
of speaker verification, and trials with their intervals. Where embeddings come from is not known
here: nothing of audio, networks or requests may come in. What serves imports no numpy from here
before it works.

Rooms: none.
Libraries: numpy.
"""
