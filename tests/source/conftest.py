"""Reading a small download as a user would, through the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from ccl.cli import cli
from ccl.io.files import read_json
from ccl.io.formats import OmicsTables

Read = Callable[..., Any]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Return a function that reads a download and returns its tables."""

    def run(layout: str, folder: Path, *options: str, **section: Any) -> Any:
        out = tmp_path / "source"
        words = ["source", "--from", json.dumps({layout: str(folder), **section}), "--folder", str(folder)]
        result = CliRunner().invoke(cli, [*words, "--out", str(out), *options])
        if result.exception:
            assert list(out.glob("*")) == []
            raise result.exception
        return SimpleNamespace(
            folder=out,
            log=result.output,
            patients=pd.read_csv(out / "patients.csv").set_index("patient_id"),
            clinical=pd.read_csv(out / "clinical.csv", dtype=str).set_index("patient_id"),
            omics={
                kind: pd.DataFrame(values.T, index=patients, columns=genes)
                for kind, (patients, genes, values) in OmicsTables.read(out / "omics.h5").kinds.items()
            },
            summary=read_json(out / "summary.json"),
        )

    return run
