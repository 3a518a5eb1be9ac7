"""CLAM-MB: clustering-constrained attention MIL, multi-branch (Lu et al., Nat. Biomed. Eng. 2021).

CLAM-SB with an attention for each interval: the hazard of an interval is read from a pooled bag of
its own, and it is the attention of the true interval that chooses the patches for the classifiers of patches.
"""

from __future__ import annotations

from ccl.methods import clam_sb

NATIVE = clam_sb.NATIVE
Hyper = clam_sb.Hyper


class Model(clam_sb.Model):
    """CLAM with as many branches as intervals."""

    multiple = True
