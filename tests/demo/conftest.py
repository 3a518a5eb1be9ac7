"""The synthetic cohort, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from ccl.config.sections import DemoSettings
from ccl.demo.make import make_demo


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five patients with slides, among them each peculiarity."""
    out = tmp_path_factory.mktemp("demo") / "slides"
    make_demo(out, DemoSettings(patients=5, seed=3, bags=False, shuffle_risk=False))
    return out


@pytest.fixture(scope="session")
def bags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """150 patients with ready features."""
    out = tmp_path_factory.mktemp("demo") / "bags"
    make_demo(out, DemoSettings(patients=150, seed=3, bags=True, shuffle_risk=False))
    return out
