"""`ccl demo --check`: the same numbers pass, another number is named with the first stage that differs."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from ccl.cli import cli
from ccl.results import golden
from ccl.results.golden import STAGES, Golden, Published, check_demo
from tests.conftest import ROOT

NUMBERS = {"cohort": {"patients": 40.0}, "embed": {"mean": 0.5, "patches": 7.0}, "train": {"loss": 2.0}}


def published(numbers: dict[str, dict[str, float]]) -> Golden:
    """Return a published run with a tolerance of a thousandth."""
    return Golden(
        {"torch": "0"},
        {stage: {name: Published(value, 1e-3) for name, value in own.items()} for stage, own in numbers.items()},
    )


@pytest.fixture
def finished(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, float]]:
    """The numbers of a finished demo, which agree with those published."""
    found = {stage: dict(numbers) for stage, numbers in NUMBERS.items()}
    run = published(NUMBERS)
    monkeypatch.setattr(golden, "key_numbers", lambda _: found)
    monkeypatch.setattr(Golden, "read", classmethod(lambda _: run))
    return found


def test_the_same_numbers_pass(finished: dict[str, dict[str, float]]) -> None:
    finished["embed"]["mean"] *= 1 + 0.9e-3
    same, lines = check_demo(Path())
    assert same
    assert lines[-1] == "this installation computes what ours does"


@pytest.mark.parametrize("value", [0.51, float("nan"), None])
def test_the_first_stage_that_differs_is_named(finished: dict[str, dict[str, float]], value: float | None) -> None:
    finished["train"]["loss"] = 3.0
    finished["embed"].pop("mean")
    if value is not None:
        finished["embed"]["mean"] = value
    same, lines = check_demo(Path())
    assert not same
    assert "embed: 1 of 2 numbers as published" in lines
    assert "the first stage that differs is `embed`; the later ones follow from it" in lines
    assert any(line.startswith("other versions of packages: torch ") for line in lines)


def test_what_is_no_finished_demo_is_an_error(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["demo", str(tmp_path), "--check"])
    assert done.exit_code == 1
    assert "not the results of a finished demo" in str(done.exception)


def test_the_published_run_has_every_stage_and_every_model_of_the_default_config() -> None:
    run = Golden.read()
    assert list(run.numbers) == list(STAGES)
    models = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())["models"]
    for stage in ("train", "evaluate"):
        assert {name.split(":")[0] for name in run.numbers[stage]} == set(models)


def test_each_published_number_matters() -> None:
    run = Golden.read()
    right = {stage: {name: value for name, (value, _) in own.items()} for stage, own in run.numbers.items()}
    assert not any(golden.deviations(right, run).values())
    for stage, own in run.numbers.items():
        for name, (value, tolerance) in own.items():
            assert tolerance < 0.5
            wrong = {**right, stage: {**right[stage], name: value + 2 * (abs(value) * tolerance + 1e-9)}}
            assert [one.name for one in golden.deviations(wrong, run)[stage]] == [name]
