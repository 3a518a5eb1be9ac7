"""A cohort that only validates has no folds, however few patients died."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ccl.cohort.stage import make_cohort
from ccl.config.cohort_sections import CohortSettings
from ccl.io.errors import ConfigError


def test_it_needs_no_folds(tmp_path: Path) -> None:
    rows = [f"P{i},{10 + i},{int(i > 1)}" for i in range(8)]
    (tmp_path / "patients.csv").write_text("\n".join(["patient_id,months,censorship", *rows, ""]))
    with pytest.raises(ConfigError, match="too few patients for the folds"):
        make_cohort("south", tmp_path / "out", settings=CohortSettings(), patients=tmp_path / "patients.csv")
    make_cohort("south", tmp_path / "out", settings=CohortSettings(external=True), patients=tmp_path / "patients.csv")
    assert pd.read_csv(tmp_path / "out" / "folds.csv").empty
    assert len(pd.read_csv(tmp_path / "out" / "patients.csv")) == 8
