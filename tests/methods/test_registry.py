"""The registry of methods and the checks of hyper-parameters."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import ccl.methods
from ccl.data.batch import Shape
from ccl.io.errors import ConfigError
from ccl.methods import METHODS, get_method, hyper, listing, load
from ccl.nn.replicas import Replicas

# Families of TCGA-BLCA, four intervals, six clusters of ResNet-50 features.
BLCA = Shape((94, 334, 521, 468, 1496, 479), intervals=4, clusters=6, features=1024)


@pytest.mark.parametrize(
    "planning",
    [
        "import ccl.train, ccl.cluster, ccl.explain, ccl.components",
        "from ccl.methods import METHODS, hyper; [hyper(name, dict(method.native.hyper if method.native else {}))"
        " for name, method in METHODS.items()]; hyper('ccl', {'preset': 'released', 'bank_length': 3})",
        "from ccl.train import version; version('mcat', 'native')",
        "from ccl.methods import listing; listing.lines(), listing.page()",
    ],
)
def test_planning_imports_neither_torch_nor_sklearn(planning):
    code = f"import sys; {planning}; sys.exit(', '.join({{'torch', 'sklearn'}} & set(sys.modules)) or 0)"
    told = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr


def test_each_package_of_a_method_is_found_and_each_name_declared_once():
    packages = [path.parent.name for path in Path(ccl.methods.__file__).parent.glob("*/network.py")]
    assert {method.package for method in METHODS.values()} == {f"ccl.methods.{name}" for name in packages}
    sources = "".join(path.read_text() for path in Path(ccl.methods.__file__).parent.glob("*/__init__.py"))
    assert all(sources.count(f'name="{name}"') == 1 for name in METHODS)


def test_methods_know_nothing_of_training():
    code = (
        "import sys; from ccl.methods import METHODS, load; [load(name) for name in METHODS];"
        "sys.exit(', '.join(name for name in sys.modules if name.startswith('ccl.train')) or 0)"
    )
    told = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr


@pytest.mark.parametrize(
    ("name", "overrides", "count"),
    [
        ("snn", {}, 1_067_012),
        # The published count is 2,147,110: 22,016 more, of a module that is never called.
        ("ccl", {"preset": "released"}, 2_125_094),
        # Five more second layers of the families, neither normalisation of the four projections, feed-forward parts.
        ("ccl", {}, 2_125_094 + 5 * 65_792 - 4 * 512 - 2 * 264 + 2 * (512 + 263_168 + 262_400)),
        ("ccl", {"preset": "released", "fusion": "vanilla"}, 2_125_094 - 2 * 264 + 2 * (512 + 263_168 + 262_400)),
    ],
)
def test_parameter_counts(name, overrides, count):
    for seeds in ((0,), (0, 1, 2)):
        model = load(name).Model(BLCA, hyper(name, overrides), Replicas(seeds))
        assert sum(weight.numel() for weight in model.parameters()) == len(seeds) * count


@pytest.mark.parametrize(
    ("shape", "count"),
    [
        (Shape((94, 334, 521, 468, 1496, 479), 4, 6, 512), 2_016_038),
        (Shape((94, 334, 521, 468, 1496, 479), 4, 6, 384), 1_983_270),
        (Shape((89, 334, 534, 471, 1510, 482), 4, 6, 1024), 2_154_278),
        (Shape((3, 24, 21, 22, 65, 15), 4, 6, 1024), 1_317_158),
    ],
)
def test_published_counts_of_other_sizes_less_the_idle_module(shape, count):
    model = load("ccl").Model(shape, hyper("ccl", {"preset": "released"}), Replicas((0,)))
    assert sum(weight.numel() for weight in model.parameters()) == count - 22_016


def test_a_preset_is_a_start_for_single_options():
    released = hyper("ccl", {"preset": "released"})
    assert (released.fusion, released.bank) == ("padded", "per_group")
    assert hyper("ccl", {"preset": "released", "bank": "all"}) == dataclasses.replace(released, bank="all")
    assert hyper("ccl", {"preset": "paper"}) == hyper("ccl", {})


@pytest.mark.parametrize(("name", "allowed"), [("ccl", "paper, released"), ("snn", "no preset")])
def test_an_unknown_preset_is_refused(name, allowed):
    with pytest.raises(ConfigError, match=allowed):
        hyper(name, {"preset": "original"})


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        ({"presett": "paper"}, "presett"),
        ({"preset": "original"}, "preset"),
        ({"width": 7}, "width"),
    ],
)
def test_a_message_names_the_model_of_the_config_and_the_key(overrides, key):
    with pytest.raises(ConfigError) as caught:
        hyper("ccl", overrides, model="mine")
    assert f"\n  models: mine: {key}: " in str(caught.value)


def test_an_unknown_method_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"ccl, .*snn"):
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
    assert "models: ccl: tau: there is no such key" in str(caught.value)
    assert "anchor_update" in str(caught.value)


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
        ("guide", 1),
        ("fusion", "nystrom"),
        ("fusion", True),
    ],
)
def test_an_impossible_value_is_refused_by_key(key, value):
    with pytest.raises(ConfigError, match=f"models: ccl: {key}"):
        hyper("ccl", {key: value})


@pytest.mark.parametrize("name", METHODS)
def test_the_smallest_data_make_a_model(name):
    narrow = {"width": 8} if "width" in {item.name for item in dataclasses.fields(METHODS[name].hyper)} else {}
    shape = Shape((1,), intervals=2, clusters=2, features=3, vectors=3)
    model = load(name).Model(shape, hyper(name, narrow), Replicas((0,)))
    assert all(torch.isfinite(weight).all() for weight in model.parameters())


def test_the_page_of_methods_is_made_from_them():
    page = (Path(__file__).parents[2] / "docs" / "methods.md").read_text()
    assert page == listing.page(), "ccl models --markdown > docs/methods.md"
