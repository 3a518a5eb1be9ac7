"""Sizes of TCGA-BLCA with ResNet-50 features, for the benchmarks and for the tests of a GPU."""

from __future__ import annotations

from ccl.data.batch import Shape
from ccl.methods.declaration import Method

BLCA = Shape(families=(94, 334, 521, 468, 1496, 479), intervals=4, clusters=6, features=1024)
COVARIATES = 4


def shape_for(method: Method) -> Shape:
    """Return these sizes as far as a method reads them."""
    reads = set(method.reads)
    return Shape(
        families=BLCA.families if "genomics" in reads else (),
        intervals=BLCA.intervals,
        clusters=BLCA.clusters if "clusters" in reads else 0,
        features=BLCA.features if reads & {"clusters", "bags"} else 0,
        clinical=COVARIATES if "clinical" in reads else 0,
    )
