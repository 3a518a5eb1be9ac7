"""CLAM-MB: clustering-constrained attention MIL, multi-branch (Lu et al., Nat. Biomed. Eng. 2021).

CLAM-SB with one attention per interval.  Each interval's hazard is computed from its own pooled bag, and the attention
of the true interval chooses the patches for the classifiers of patches.
"""

from __future__ import annotations

from dataclasses import replace

from ccl.methods import clam_sb

METHOD = replace(clam_sb.METHOD, name="clam-mb", parameters=794_640)
