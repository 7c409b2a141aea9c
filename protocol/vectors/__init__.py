"""Golden frames, and what writes them. Not part of the installed package."""
