"""Building the network of a method for some data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ccl.data.batch import Shape
from ccl.methods import load
from ccl.methods.clinical import WithClinical
from ccl.methods.incomplete import WithStandIns
from ccl.methods.interface import SurvivalModel
from ccl.nn.replicas import Replicas


def build(method: str, shape: Shape, hyper: Any, replicas: Replicas) -> SurvivalModel:
    """Return the network of a method for data of some shape.

    Around a network that does not do it itself come stand-ins for what incomplete patients lack, if there may be such
    patients, and a term of the covariates, if there are any.
    """
    network = load(method).Model
    own = shape if network.takes_clinical else replace(shape, clinical=0)
    model: SurvivalModel = network(own if network.takes_incomplete else replace(own, tables=()), hyper, replicas)
    if shape.incomplete and not network.takes_incomplete:
        model = WithStandIns(model, shape, replicas)
    return model if own.clinical == shape.clinical else WithClinical(model, shape, replicas)
