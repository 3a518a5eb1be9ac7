"""Making the cohort: the same bytes from the same seed, nothing overwritten, stages that accept it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from pydantic import ValidationError
from sksurv.metrics import concordance_index_censored

from ccl.clinical.table import read_clinical
from ccl.cohort.stage import make_cohort
from ccl.config.check import strictly
from ccl.config.cohort_sections import Clinical, CohortSettings
from ccl.config.sections import DemoSettings, GenomicsSettings
from ccl.demo.make import make_demo
from ccl.demo.plan import demo_files, demo_slides, is_made
from ccl.genomics.stage import group_genomics
from ccl.io.errors import InputError
from ccl.io.files import read_json
from ccl.io.formats import Genomics
from ccl.io.sheets import read_slide_sheet

ROOT = Path(__file__).parents[2]

FEW = DemoSettings(patients=6, seed=1, bags=True, shuffle_risk=False)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_same_seed_gives_the_same_bytes(cohort: Path, tmp_path: Path) -> None:
    settings = DemoSettings(**read_json(cohort / "demo.json")["settings"])
    make_demo(tmp_path / "again", settings)
    first, second = contents(cohort), contents(tmp_path / "again")
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_the_same_seed_gives_the_same_bags_and_another_seed_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for place, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / place).mkdir()
        # TRIDENT's layout stores the folder's name, so it must be the same.
        monkeypatch.chdir(tmp_path / place)
        make_demo(Path("demo"), replace(FEW, seed=seed))
        found.append(contents(Path("demo")))
    assert found[0] == found[1]
    assert found[0]["features/DEMO-001-A.h5"] != found[2]["features/DEMO-001-A.h5"]
    assert found[0]["patients.csv"] != found[2]["patients.csv"]
    assert found[0]["rna.csv"] != found[2]["rna.csv"]


def test_the_stages_accept_the_cohort(cohort: Path, tmp_path: Path) -> None:
    make_cohort(
        "demo",
        tmp_path,
        settings=CohortSettings("patient_id", "months", "censorship", n_folds=2, fold_seed=0, synthetic=True),
        patients=cohort / "patients.csv",
        slides=cohort / "slides.csv",
    )
    summary = read_json(tmp_path / "summary.json")
    assert (summary["patients"], summary["slides"], summary["patients_without_slides"]) == (5, 6, [])
    tables = {kind: cohort / f"{kind}.csv" for kind in ("rna", "cnv", "snv")}
    settings = GenomicsSettings("patient_id", (), "error")
    group_genomics(tmp_path / "genomics.h5", settings=settings, tables=tables, gmt=[cohort / "families.gmt"])
    genomics = Genomics.read(tmp_path / "genomics.h5")
    assert genomics.patients == tuple(pd.read_csv(cohort / "patients.csv")["patient_id"])
    assert [family.name for family in genomics.families] == [
        "Tumor Suppressor Genes",
        "Oncogenes",
        "Protein Kinases",
        "Cell Differentiation Markers",
        "Transcription Factors",
        "Cytokines and Growth Factors",
    ]
    for family in genomics.families:
        assert 60 <= len(family.columns) <= 120
        assert all(column.startswith("SYN") for column in family.columns), "plainly not a real gene"


def test_truth_and_tables_tell_one_story(cohort: Path) -> None:
    patients, truth = pd.read_csv(cohort / "patients.csv"), pd.read_csv(cohort / "truth" / "patients.csv")
    assert list(patients.columns) == ["patient_id", "months", "censorship", "age", "sex"]
    assert list(truth["patient_id"]) == list(patients["patient_id"]) == list(truth["follow_up_of"])
    parts = truth[["risk_shared", "risk_pathology", "risk_genomics", "risk_synergy"]]
    np.testing.assert_allclose(parts.sum(axis=1), truth["log_risk"], rtol=1e-6)
    genes = pd.read_csv(cohort / "truth" / "genes.csv")
    assert list(genes["gene"]) == list(pd.read_csv(cohort / "rna.csv").columns[1:])
    assert "synthetic" in (cohort / "README.md").read_text()


def test_the_default_config_reads_the_clinical_table(cohort: Path, bags: Path) -> None:
    """Each value is named, each level is there in a cohort of some size, and ages are those of the follow-up."""
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    section = strictly(Clinical, config["cohorts"]["demo"]["clinical"])
    for folder in (cohort, bags):
        read = read_clinical(folder / section.table, section, patient_column="patient_id")
        patients = pd.read_csv(folder / "patients.csv", index_col=0)
        assert list(read.index) == list(patients.index)
        assert list(read["age"]) == list(patients["age"])
    assert set(read["stage"].dropna()) == {"Stage I", "Stage II", "Stage III", "Stage IV"}
    assert set(read["grade"].dropna()) == {"G1", "G2", "G3"}
    assert read.isna().sum().to_dict() == {"age": 0, "stage": 7, "grade": 7, "laterality": 0}


def test_shuffled_risk_is_a_null_cohort_of_the_same_data(bags: Path, tmp_path: Path) -> None:
    make_demo(tmp_path / "null", DemoSettings(patients=150, seed=3, bags=True, shuffle_risk=True))
    before, after = (pd.read_csv(folder / "patients.csv", index_col=0) for folder in (bags, tmp_path / "null"))
    truth = pd.read_csv(tmp_path / "null" / "truth" / "patients.csv", index_col=0)
    outcome = ["months", "censorship"]
    assert (after[outcome].to_numpy() == before.loc[truth["follow_up_of"], outcome].to_numpy()).all()
    assert sorted(truth["follow_up_of"]) == sorted(before.index)
    pd.testing.assert_frame_equal(before[["age", "sex"]], after[["age", "sex"]])
    for table in ("clinical.csv", "rna.csv", "cnv.csv", "snv.csv", "slides.csv", "families.gmt", "truth/patches.csv"):
        assert (bags / table).read_bytes() == (tmp_path / "null" / table).read_bytes()

    def oracle(patients: pd.DataFrame) -> float:
        return float(
            concordance_index_censored(patients["censorship"] == 0, patients["months"], truth["log_risk"].to_numpy())[0]
        )

    assert oracle(before) > 0.85
    assert 0.4 < oracle(after) < 0.6


def test_a_finished_cohort_is_left_untouched(tmp_path: Path) -> None:
    make_demo(tmp_path, FEW)
    (tmp_path / "rna.csv").write_text("mine\n")
    make_demo(tmp_path, FEW)
    assert (tmp_path / "rna.csv").read_text() == "mine\n"


def test_a_cohort_with_a_part_missing_is_made_again(tmp_path: Path) -> None:
    make_demo(tmp_path, FEW)
    (tmp_path / "slides.csv").unlink()
    (tmp_path / "features" / "DEMO-002-A.h5").unlink()
    assert not is_made(tmp_path, FEW)
    make_demo(tmp_path, FEW)
    assert is_made(tmp_path, FEW)
    assert len(read_slide_sheet(tmp_path / "slides.csv")) == FEW.patients


def test_folders_without_files_are_not_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "features" / "empty").mkdir(parents=True)
    make_demo(tmp_path, FEW)
    assert is_made(tmp_path, FEW)


def test_slides_and_files_are_known_before_they_are_made(cohort: Path) -> None:
    settings = DemoSettings(**read_json(cohort / "demo.json")["settings"])
    assert demo_slides(cohort, settings) == read_slide_sheet(cohort / "slides.csv")
    written = {path for path in cohort.rglob("*") if path.is_file() and cohort / "truth" not in path.parents}
    assert set(demo_files(cohort, settings)) == written - {cohort / "README.md", cohort / "demo.json"}


def test_an_interrupted_cohort_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    out, whole = Path("demo"), Path("whole/demo")

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("ccl.demo.make.make_bags", stop)
        with pytest.raises(KeyboardInterrupt):
            make_demo(out, FEW)
    assert not (out / "demo.json").exists()
    make_demo(out, FEW)
    make_demo(whole, FEW)
    assert contents(out).keys() == contents(whole).keys()
    assert (out / "patients.csv").read_bytes() == (whole / "patients.csv").read_bytes()


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"thesis\.txt"):
        make_demo(tmp_path, FEW)
    assert contents(tmp_path) == {"thesis.txt": b"mine"}
    with pytest.raises(InputError, match="something else"):
        make_demo(tmp_path / "thesis.txt", FEW)


@pytest.mark.parametrize("change", [{"seed": 2}, {"patients": 7}, {"shuffle_risk": True}])
def test_a_folder_with_another_cohort_is_refused(tmp_path: Path, change: dict[str, int]) -> None:
    make_demo(tmp_path, FEW)
    with pytest.raises(InputError, match="delete this one"):
        make_demo(tmp_path, replace(FEW, **change))


@pytest.mark.parametrize("change", [{"patients": 4}, {"seed": -1}])
def test_impossible_settings_are_refused_before_anything_is_written(tmp_path: Path, change: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        make_demo(tmp_path / "out", replace(FEW, **change))
    assert not (tmp_path / "out").exists()
