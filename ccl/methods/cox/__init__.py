"""Ridge Cox regression: the baseline that every network should beat.

It reads one score per gene family (the mean of the family's scaled columns), the mean patch of the slides, or both.
The penalty is chosen by cross-validation among the training patients.  Conventions are those of scikit-survival:
Breslow's handling of ties, and ``-log PL / n + penalty / 2 |beta|^2``, on columns of mean 0 and deviation 1.
"""

from __future__ import annotations

from dataclasses import replace

from ccl.config.keys import key, section
from ccl.methods.declaration import Method


@section
class Hyper:
    """Hyper-parameters of the Cox models."""

    penalty: float = key(0.0, "ridge penalty; 0 chooses one by cross-validation among training patients", ge=0)


GENOMICS = Method(
    name="cox-genomics",
    reads=("genomics",),
    citation="Cox, J. R. Stat. Soc. B 1972; ridge: Verweij and van Houwelingen, Stat. Med. 1994",
    parameters=6,
    hyper=Hyper,
)
PATHOLOGY = replace(GENOMICS, name="cox-pathology", reads=("bags",), parameters=1_024)
MULTIMODAL = replace(GENOMICS, name="cox-multimodal", reads=("bags", "genomics"), parameters=1_030)
