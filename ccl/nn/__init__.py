"""Layers of the methods' networks; every weight has a leading axis of replicas (:mod:`ccl.nn.replicas`)."""

HEADS = 8
"""Number of heads of self-attention; the width of tokens must be a multiple of it."""
