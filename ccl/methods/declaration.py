"""What a method declares about itself.  Nothing here imports torch, so that Snakemake can plan with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal


@dataclass(frozen=True)
class Recipe:
    """One way to train."""

    optimiser: Literal["sgd", "adam", "radam", "lookahead-radam"]
    """SGD has no momentum; ``lookahead`` moves the weights halfway back to slow copies of them every sixth step."""
    lr: float
    weight_decay: float
    """L2 penalty, added to the gradient."""
    epochs: int
    accumulate: int = 1
    """Number of patients whose mean gradient makes a step; the rest of an epoch makes one more step."""
    sampling: Literal["uniform", "weighted"] = "uniform"
    clip: float | None = None
    """Gradients with a larger norm are scaled down to it."""
    schedule: Literal["constant", "cosine", "linear", "fifth"] = "constant"
    """Schedule of the learning rate.  ``cosine``: it rises during the first epoch, then falls to zero, step by step.
    ``linear``: it falls after each epoch by the same amount, to zero after the last.  ``fifth``: a fifth after half the
    epochs."""
    nll_alpha: float = 0.0
    """Weight moved from all patients to those with an observed death in the likelihood."""
    hyper: Mapping[str, Any] = field(default_factory=dict)
    """Hyper-parameters of the recipe, such as the weight of a penalty; those of the config take precedence."""


MCAT = Recipe("adam", lr=2e-4, weight_decay=1e-5, epochs=20, accumulate=32, sampling="weighted")
"""How Chen et al. (ICCV 2021) train all methods of their comparison; also used for methods without released code."""

WHOLE_EPOCH = 2**31
"""A value of ``accumulate`` larger than any cohort: one step an epoch, from all patients."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """A survival method."""

    name: str
    """Its name in the config and in all results."""
    reads: tuple[Literal["clusters", "bags", "vectors", "genomics", "clinical"], ...]
    """Its input: ``bags`` are all patches of a patient, ``clusters`` the centres of their clusters, ``vectors`` one
    vector of the slides, ``clinical`` the covariates."""
    citation: str
    parameters: int
    """Number of trained parameters at the sizes of TCGA-BLCA: gene families of 94, 334, 521, 468, 1496 and 479 columns,
    4 survival intervals, and, if slides are read, ResNet-50 features (1024) and 6 clusters; if vectors are read, those
    of TITAN (768); covariates not counted."""
    hyper: type
    """Its hyper-parameters: a :func:`ccl.config.keys.section`."""
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Named sets of hyper-parameters, each as differences from the defaults."""
    native: Recipe | None = None
    """How its authors train it; without one it has only the unified track."""
    attention: str = ""
    """Explanation of its attention, for the page of a patient; empty for a method without attention."""
    unattributed: str = ""
    """A part of the network that passes no gradient, so attributions miss its share of the risk."""
    decomposes: bool = False
    """Whether it decomposes a patient into knowledge components (:meth:`SurvivalModel.decomposed`)."""
    version: int = 0
    """Raise it when the trained networks of this method change for the same input."""
    native_version: int = 0
    """Raise it when they change only on the native track, such as by a change of the recipe."""
    package: str = ""
    """The package that declares it; filled in by :mod:`ccl.methods`."""

    @property
    def reads_slides(self) -> bool:
        """Whether it reads slides, as bags or as clusters."""
        return bool({"clusters", "bags"} & set(self.reads))

    @property
    def multimodal(self) -> bool:
        """Whether it reads slides and genes, so that a patient who lacks one of them can be kept."""
        return self.reads_slides and "genomics" in self.reads

    @property
    def needs(self) -> list[str]:
        """The inputs that it needs of a cohort, by their keys: ``slides``, ``vectors``, ``omics``, ``clinical``."""
        pairs = (("vectors", "vectors"), ("omics", "genomics"), ("clinical", "clinical"))
        other = [key for key, read in pairs if read in self.reads]
        return ["slides"] * self.reads_slides + other

    def with_clinical(self) -> Method:
        """Return the same method reading covariates too."""
        return self if "clinical" in self.reads else replace(self, reads=(*self.reads, "clinical"))
