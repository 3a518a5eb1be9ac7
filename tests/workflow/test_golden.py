"""The key numbers of a whole run, and a stage that computes something else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ccl.io.formats import Features
from ccl.results import golden
from tests.workflow.workspace import Workspace

pytestmark = pytest.mark.xdist_group("graph")


def test_a_run_agrees_with_itself_and_another_embedding_is_found(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = workspace.folder / "results"
    monkeypatch.setattr(golden, "COHORT", "tiny")
    monkeypatch.setattr(golden, "STAGES", {name: x for name, x in golden.STAGES.items() if name != "clinical"})
    numbers = golden.key_numbers(results)
    assert all(numbers.values())
    run = golden.Golden(
        {}, {stage: {name: golden.Published(x, 1e-6) for name, x in own.items()} for stage, own in numbers.items()}
    )
    monkeypatch.setattr(golden.Golden, "read", classmethod(lambda _: run))
    assert golden.check_demo(results)[0]
    path = min((results / "tiny" / "embed" / "resnet50").glob("*.h5"))
    features = Features.read(path)
    replace(features, features=features.features * 1.001).write(path, features.key)
    same, lines = golden.check_demo(results)
    assert not same
    assert "the first stage that differs is `embed`; the later ones follow from it" in lines
