"""The pipe to the host: claimed before all else, read by one thread, written in order.

Here live the claimed streams, the frames' reader and writer, the greeting, the log on standard
error and what libraries write there, the watch on the host's process, and Windows' own calls for
all that. What a frame means is not known here, so nothing of requests, audio or models may come in.

Rooms: protocol, config.
Libraries: psutil.
"""
