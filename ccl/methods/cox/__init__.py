"""Ridge Cox regression: the baseline that every network should beat.

It reads covariates, all gene columns (or the mean of each family), the mean patch of the slides or a vector of each
patient, or several of these.  The penalty of genes, slides and vectors is chosen by cross-validation among the training
patients; covariates have a separate, light penalty.  Conventions are those of scikit-survival: Breslow's handling of
ties, and ``-log PL / n + penalty / 2 |beta|^2``, on columns of mean 0 and deviation 1.

What an incomplete patient lacks (`train: incomplete: keep`) is set to the training mean, and a column for each part
says who lacks it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from ccl.config.keys import key, section
from ccl.methods.declaration import Method


@section
class Hyper:
    """Hyper-parameters of the Cox models."""

    penalty: float = key(
        0.0,
        "ridge penalty of genes, slides and vectors; 0 chooses one by cross-validation among training patients",
        ge=0,
    )
    clinical_penalty: float = key(0.01, "ridge penalty of the covariates", gt=0)
    genes: Literal["columns", "family-means"] = key(
        "columns", "columns reads every gene column, family-means one score per family: the mean of its columns"
    )


GENOMICS = Method(
    name="cox-genomics",
    reads=("genomics",),
    citation="Cox, J. R. Stat. Soc. B 1972; ridge: Verweij and van Houwelingen, Stat. Med. 1994",
    parameters=3_392,
    hyper=Hyper,
    version=1,
)
CLINICAL = replace(GENOMICS, name="cox-clinical", reads=("clinical",), parameters=0)
PATHOLOGY = replace(GENOMICS, name="cox-pathology", reads=("bags",), parameters=1_024)
MULTIMODAL = replace(GENOMICS, name="cox-multimodal", reads=("bags", "genomics"), parameters=4_416)
VECTORS = replace(GENOMICS, name="cox-vectors", reads=("vectors",), parameters=768)
VECTORS_GENOMICS = replace(VECTORS, name="cox-vectors-genomics", reads=("vectors", "genomics"), parameters=4_160)
CLINICAL_GENOMICS = replace(GENOMICS, name="cox-clinical-genomics", reads=("genomics", "clinical"))
CLINICAL_MULTIMODAL = replace(MULTIMODAL, name="cox-clinical-multimodal", reads=("bags", "genomics", "clinical"))
