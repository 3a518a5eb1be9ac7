"""Layers of the methods' networks; every weight has a leading axis of replicas (:mod:`ccl.nn.replicas`)."""

HEADS = 8
"""Heads of self-attention; the width of its tokens is a multiple."""
