"""The network of CLAM-MB (:mod:`ccl.methods.clam_mb`)."""

from __future__ import annotations

from ccl.methods.clam_sb import network


class Model(network.Model):
    """CLAM with one branch per interval."""

    multiple = True
