"""A corpus of recordings, embedded on one machine or many by Ray Data, and what one does with it.

Here live the readers of sources and manifests, what an actor does with a block of them, the data
set that it writes, and the search, the clusters and the check of labels that read it. Nothing here
schedules, that is Ray's; nothing that serves needs any of it, and all of it needs the extra
``[corpus]``, except where a docstring says otherwise.

Rooms: protocol, config, audio, diarization, engine, scores, speech, store.
Libraries: fsspec, numpy, pyarrow, ray, scipy.
"""
