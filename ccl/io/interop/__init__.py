"""Stage ``import`` uses features of other tools instead of slides; ``ccl export`` writes for other tools."""

VERSION = 2
"""Bumped when the stage's output changes for the same input."""

LAYOUTS = ("trident", "clam", "stamp")
"""Tools that ``ccl export`` writes for; import recognises their files by content."""
