"""Stage ``import``: features made elsewhere take the place of slides; ``ccl export`` goes the other way."""

VERSION = 2
"""Bumped when the stage's output changes for the same input."""

LAYOUTS = ("trident", "clam", "stamp")
"""Tools that ``ccl export`` writes for; import recognises theirs by itself."""
