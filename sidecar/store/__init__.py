"""Files on disk that were made elsewhere or earlier: fetched, checked, kept, found again.

Here live the catalog of models, the sources that files are fetched from, the store of weights, the
converted networks, and the models that lie ready beside a bundle. Nothing here knows what is inside
of a file: no torch, no runtime.

Rooms: protocol, bundle, config, long_path.
Libraries: filelock, numpy, platformdirs.
"""
