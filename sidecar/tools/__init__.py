"""What a person runs by hand: demo, diarize, live, doctor, harness, models, and more.

Each command is a module or a folder of its name, with ``add_arguments`` and ``run``. They talk to a
sidecar as any host does, over the wire, or look at this machine with the parts that serve. Nothing
that serves may need a tool.

Rooms: protocol, bundle, config, serve_options, audio, corpus, diarization, engine, hardware,
networks, scores, store, wire.
Libraries: msgpack, numpy, psutil, pyarrow, rich, scipy, sklearn, soundfile.
"""
