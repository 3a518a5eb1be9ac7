"""Building the network of a method, with covariates for those that do not read them themselves."""

from __future__ import annotations

from typing import Any

from ccl.data.batch import Shape
from ccl.methods import load
from ccl.methods.interface import SurvivalModel
from ccl.nn.replicas import Replicas


def build(method: str, shape: Shape, hyper: Any, replicas: Replicas) -> SurvivalModel:
    """Return the network of a method for data of some shape."""
    network = load(method).Model
    if not shape.clinical or network.takes_clinical:
        model: SurvivalModel = network(shape, hyper, replicas)
        return model
    raise NotImplementedError
