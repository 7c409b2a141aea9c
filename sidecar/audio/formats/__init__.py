"""The formats of audio files: what each is, where its samples lie, and what decodes them.

No decoder is trusted with a hostile file, nor with knowing where one ends: the headers, frames and
pages are read here first. A decoder is shown what was found, and nothing else.
"""
