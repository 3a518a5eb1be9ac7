"""A config whose tables exist, and the plan that follows from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ccl.plan import Plan, make_plan

SLIDES = 12


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    """Two cohorts, one of slides and genes, one of genes alone, and three models."""
    for name in ("patients.csv", "rna.csv", "families.gmt"):
        (tmp_path / name).touch()
    rows = [f"S{number},P{number // 2},S{number}.svs,0.5" for number in range(SLIDES)]
    (tmp_path / "slides.csv").write_text("\n".join(["slide_id,patient_id,path,mpp", *rows, ""]))
    genes = {"patients": "patients.csv", "omics": {"rna": "rna.csv"}, "gmt": "families.gmt"}
    return {
        "data": str(tmp_path),
        "shards": 3,
        "missing_modality": "blank",
        "cohorts": {"blca": {**genes, "slides": "slides.csv"}, "genes": genes},
        "embed": {"encoders": {"resnet50": {"weights": "random"}, "uni": {}}},
        "models": {"ccl": {}, "snn": {}, "attmil": {"width": 64}},
    }


@pytest.fixture
def plan(config: dict[str, Any]) -> Callable[..., Plan]:
    """Return a function that plans the config with some sections changed."""

    def make(**sections: Any) -> Plan:
        return make_plan({**config, **sections}, ["mine.yaml"])

    return make


def job(**wildcards: Any) -> Any:
    """Return the wildcards of a job."""
    return SimpleNamespace(**wildcards)
