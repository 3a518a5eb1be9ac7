"""What the project is handed on as: the wheel, and the file that says how to cite it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
import yaml

from ccl import __version__

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.xdist_group("packaging")  # the wheel is built once


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel, built from a copy of the sources, so that nothing is left among them."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(ROOT / "ccl", source / "ccl", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip("wheel", source, "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """Return the `bin` of an environment that has ccl from the wheel, and its dependencies from this environment."""
    environment = wheel.parent / "environment"
    venv.create(environment)
    python = environment / "bin" / "python"
    pip("--python", python, "install", "--no-deps", "--no-index", wheel)
    packages = next(environment.glob("lib/python*/site-packages"))
    # After the environment's own packages: ccl itself is found there first, and no editable install is consulted.
    here = [path for path in sys.path if path.endswith("-packages")]
    (packages / "dependencies.pth").write_text("\n".join(here) + "\n")
    return environment / "bin"


def pip(*arguments: str | Path) -> None:
    result = call(sys.executable, "-m", "pip", *arguments)
    assert result.returncode == 0, result.stdout + result.stderr


def call(*command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    ours = {path for path in (ROOT / "ccl").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == {path.relative_to(ROOT).as_posix() for path in ours}


def test_the_wheel_is_what_runs(installed: Path, tmp_path: Path) -> None:
    code = "import ccl.cli, sys; print(ccl.__file__)"
    result = call(installed / "python", "-c", code, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert Path(result.stdout.strip()).is_relative_to(installed.parent)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--version"], f"ccl, version {__version__}"),
        (["models"], "Zhou, Chen"),
        (["encoders"], "1024-d"),
        (["doctor"], "ok    packages: all "),
    ],
)
def test_commands_run_outside_the_repository(
    installed: Path, tmp_path: Path, arguments: list[str], expected: str
) -> None:
    result = call(installed / "ccl", *arguments, cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert expected in result.stdout


def test_a_cohort_is_made_and_checked_outside_the_repository(installed: Path, tmp_path: Path) -> None:
    made = call(installed / "ccl", "demo", "data", "--bags", "--patients", "12", "--seed", "0", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    columns = ["--patient-column", "patient_id", "--months-column", "months", "--censorship-column", "censorship"]
    inputs = ["--patients", "data/patients.csv", "--slides", "data/slides.csv", "--n-folds", "2", "--fold-seed", "0"]
    checked = call(installed / "ccl", "cohort", "--name", "c", "--out", "out", *inputs, *columns, cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert len((tmp_path / "out" / "patients.csv").read_text().splitlines()) == 13


def test_a_config_is_checked_outside_the_repository(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("cohorts: {}\n")
    result = call(installed / "ccl", "doctor", "--config", "config.yaml", cwd=tmp_path)
    assert result.returncode == 1
    assert "\nfail  config: config.yaml has a mistake" in result.stdout


def test_the_citation_is_valid_and_of_this_version() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.citation-file-format"]
    result = call(*check, ROOT / "CITATION.cff")
    assert result.returncode == 0, result.stdout
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == __version__
    assert [source["title"] for source in citation["references"]] == [
        "Cohort-Individual Cooperative Learning for Multimodal Cancer Survival Analysis"
    ]
