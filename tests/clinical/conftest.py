"""A clinical table, and the section of the config that reads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ccl.config.check import strictly
from ccl.config.cohort_sections import Clinical
from ccl.io.files import write_table


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a table of lines."""

    def write(*lines: str) -> Path:
        path = tmp_path / "clinical.csv"
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


def section(covariates: dict[str, Any], **keys: Any) -> Clinical:
    """Return the section of a config with some covariates."""
    return strictly(Clinical, {"covariates": covariates, **keys})


def follow_up(folder: Path, months: Any, dead: Any) -> Path:
    """Write the cohort stage's table of patients P000, P001, ..."""
    names = [f"P{number:03d}" for number in range(len(months))]
    outcome = pd.DataFrame({"patient_id": names, "months": months, "censorship": 1 - np.asarray(dead).astype(int)})
    write_table(folder / "patients.csv", outcome)
    return folder / "patients.csv"
