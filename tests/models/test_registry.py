"""The registry of methods and the checks of hyper-parameters."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys

import pytest
import torch

from ccl.errors import ConfigError
from ccl.models import METHODS, get_method, hyper, load
from ccl.models.interface import Shape

# Families of TCGA-BLCA, four intervals, six clusters of ResNet-50 features.
BLCA = Shape((94, 334, 521, 468, 1496, 479), intervals=4, clusters=6, features=1024)


def test_importing_the_registry_leaves_torch_alone():
    code = (
        "import sys, ccl.models, ccl.train, ccl.cluster; sys.exit('torch' in sys.modules or 'sklearn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(("name", "count"), [("snn", 1_067_012), ("ccl", 2_125_094)])
def test_parameter_counts(name, count):
    model = load(name).Model(BLCA, hyper(name, {}))
    assert sum(weight.numel() for weight in model.parameters()) == count


def test_an_unknown_method_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="ccl, snn"):
        get_method("resnet")


@pytest.mark.parametrize("name", METHODS)
def test_defaults_satisfy_their_own_limits(name):
    defaults = dataclasses.asdict(hyper(name, {}))
    assert hyper(name, defaults) == hyper(name, {})


def test_overrides_replace_defaults_only():
    chosen = hyper("ccl", {"bank_length": 3, "cohort_weight": 2})
    assert (chosen.bank_length, chosen.cohort_weight, chosen.width) == (3, 2.0, 256)
    assert isinstance(chosen.cohort_weight, float)


def test_an_unknown_key_is_refused_with_the_allowed_ones():
    with pytest.raises(ConfigError) as caught:
        hyper("ccl", {"tau": 0.2})
    assert caught.value.found == "tau"
    assert "anchor_update" in caught.value.expected


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("width", 256.0),
        ("width", "256"),
        ("width", True),
        ("width", 100),
        ("width", 0),
        ("dropout", 1.0),
        ("dropout", -0.1),
        ("dropout", None),
        ("cohort_weight", math.nan),
        ("cohort_weight", math.inf),
        ("anchor_update", 1.5),
        ("bank_length", 0),
    ],
)
def test_an_impossible_value_is_refused_by_key(key, value):
    with pytest.raises(ConfigError, match=f"models: ccl: {key}"):
        hyper("ccl", {key: value})


@pytest.mark.parametrize("name", METHODS)
def test_the_smallest_data_make_a_model(name):
    model = load(name).Model(Shape((1,), intervals=2, clusters=2, features=3), hyper(name, {"width": 8}))
    assert all(torch.isfinite(weight).all() for weight in model.parameters())
