"""Reading in a process of its own."""

from __future__ import annotations

import multiprocessing.process
from pathlib import Path

import pytest

from ccl.io.apart import Apart


def test_a_process_that_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: object) -> None:
        raise RuntimeError("no process may start here")

    monkeypatch.setattr(multiprocessing.process.BaseProcess, "start", refused)
    file = tmp_path / "a file"
    file.touch()
    with pytest.raises(RuntimeError, match="no process may start here"), Apart() as apart:
        apart.read(Path.exists, file)
