"""What a method declares about itself.  Nothing here imports torch, so that Snakemake can plan with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ccl.methods.recipes import Recipe


@dataclass(frozen=True, kw_only=True)
class Method:
    """A survival method."""

    name: str
    """Its name in the config and in all results."""
    package: str
    """``__name__`` of the package that declares it."""
    reads: tuple[Literal["clusters", "bags", "genomics"], ...]
    """Its input: ``bags`` are all patches of a patient, ``clusters`` the centres of their clusters."""
    citation: str
    parameters: int
    """Trained numbers at the sizes of TCGA-BLCA: gene families of 94, 334, 521, 468, 1496 and 479 columns, 4 survival
    intervals, and where slides are read ResNet-50 features (1024) and 6 clusters."""
    hyper: type
    """Its hyper-parameters: a frozen dataclass of :func:`ccl.methods.parameters.parameter`."""
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Named sets of hyper-parameters, each as its differences from the defaults."""
    native: Recipe | None = None
    """How its authors train it; without one it has only the unified track."""
    attention: str = ""
    """What its attention means, in words for the page of a patient; empty for a method that has none."""
    unattributed: str = ""
    """A part of the network that no gradient passes through, so that attributions miss its share of the risk."""
    decomposes: bool = False
    """Whether it decomposes a patient into knowledge components (:meth:`SurvivalModel.decomposed`)."""
    version: int = 0
    """Raise it when the trained networks of this method change for the same input."""
    native_version: int = 0
    """Raise it when they change on the native track alone, as with a change of the recipe."""
