"""What `ccl models` shows of each method."""

from __future__ import annotations

from ccl.models import METHODS, Method, hyper, load
from ccl.models.interface import Shape
from ccl.models.replicas import Replicas

BLCA_FAMILIES = (94, 334, 521, 468, 1496, 479)
"""Columns of the six gene families on TCGA-BLCA."""

RESNET50_DIM, PAPER_K, PAPER_INTERVALS = 1024, 6, 4


def blca_shape(method: Method) -> Shape:
    """Return the sizes of TCGA-BLCA with ResNet-50 features, as a method is told of them."""
    reads = set(method.reads)
    return Shape(
        BLCA_FAMILIES if "genomics" in reads else (),
        PAPER_INTERVALS,
        PAPER_K if "clusters" in reads else 0,
        RESNET50_DIM if reads & {"clusters", "bags"} else 0,
    )


def parameters_of(name: str) -> int:
    """Return the count of a method's trained numbers at the sizes of TCGA-BLCA."""
    model = load(name).Model(blca_shape(METHODS[name]), hyper(name, {}), Replicas((0,)))
    return sum(weight.numel() for weight in model.parameters())


def lines() -> list[str]:
    """Return a header and a line per method: what it reads, its parameters, its tracks, where it is from."""
    rows = [("method", "reads", "parameters", "tracks", "from")]
    for name, method in METHODS.items():
        tracks = "unified, native" if hasattr(load(name), "NATIVE") else "unified"
        rows.append((name, " + ".join(method.reads), f"{parameters_of(name):,}", tracks, method.citation))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            text.rjust(width) if column == 2 else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
