"""Patients with predicted survival, and a project whose bundle is validated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ccl.config.sections import PredictSettings, ValidateSettings
from ccl.predict.stage import predict_patients
from ccl.validate.patients import Scored
from ccl.validate.stage import validate_bundle
from tests.data.conftest import cohort, make_cohort  # noqa: F401 - fixtures
from tests.predict.conftest import Project, project, snn  # noqa: F401 - fixtures

CORNERS = np.array([0.0, 6.0, 12.0, 24.0, 36.0, 60.0])


def draw(seed: int = 0, n: int = 150, *, slope: float = 1.0, hazard: float = 1.0) -> Scored:
    """Return patients whose survival is exponential, with a log-hazard of `slope` times what is predicted."""
    rng = np.random.default_rng(seed)
    log_hazard = rng.normal(0, 0.8, n)
    death = rng.exponential(30 / (hazard * np.exp(slope * log_hazard)))
    end = rng.uniform(10, 70, n)
    risk = log_hazard - 1
    table = pd.DataFrame(
        {
            "patient_id": [f"P{i:03d}" for i in range(n)],
            "months": np.minimum(death, end),
            "censorship": (end < death).astype(int),
            "risk": risk,
            "group": np.where(risk > -1.2, "high", "low"),
        }
    )
    curves = np.exp(-CORNERS / 30 * np.exp(log_hazard)[:, None])
    return Scored(table, CORNERS, curves, {}, {"cut": -1.2})


@pytest.fixture
def validate(project: Project) -> Callable[..., Path]:  # noqa: F811
    """Predict and validate with a bundle, and return the folder."""

    def make(bundle: Path, *, predict: dict[str, Any] | None = None, **options: Any) -> Path:
        out = project.folder / "predictions"
        files = {**project.files("snn"), **{key: options.pop(key) for key in ("genomics",) if key in options}}
        settings = PredictSettings(**(predict or {}))
        predict_patients(bundle=bundle, **files, out=out, settings=settings, device="cpu", threads=1)
        given = {"patients": project.folder / "patients.csv", "cohort": "south", "name": "ours", "synthetic": True}
        shared = options.pop("shared_patients", "keep")
        validate_bundle(
            **{"prediction": out, "bundle": bundle, "settings": ValidateSettings(shared_patients=shared), **given},
            **files,
            **options,
        )
        return out

    return make
