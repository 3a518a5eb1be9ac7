"""The validate stage on a bundle: what it writes, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ccl.io.checksums import checksum_file
from ccl.io.errors import ConfigError, InputError
from ccl.io.files import digest
from ccl.predict.card import read_card
from tests.predict.conftest import Project

Validate = Callable[..., Path]


def renamed(table: pd.DataFrame) -> pd.DataFrame:
    """Other patients: other names and slightly other genes."""
    return (table + 0.01).rename(index=lambda name: f"S-{name}")


def rename_patients(project: Project) -> None:
    """Give the project's follow-up to the patients of :func:`renamed`."""
    path = project.folder / "patients.csv"
    table = pd.read_csv(path)
    table.assign(patient_id="S-" + table["patient_id"]).to_csv(path, index=False)
    checksum_file(path).unlink(missing_ok=True)


def read(folder: Path) -> dict:
    return json.loads((folder / "evaluation.json").read_text())


def test_another_cohort_is_scored_beside_its_predictions(project: Project, snn: Path, validate: Validate) -> None:
    genomics = project.omics(renamed)
    rename_patients(project)
    folder = validate(snn, genomics=genomics, shared_patients="fail")
    facts = read(folder)
    assert facts["shared"] == {}
    assert facts["n_patients"] == 20
    assert facts["drop"]["difference"] == pytest.approx(
        facts["concordance"]["c_index"] - facts["internal"]["concordance"]["c_index"]
    )
    assert facts["groups"]["cut"] == read_card(snn).cut
    risks = pd.read_csv(folder / "risks.csv")
    predicted = pd.read_csv(folder / "risk.csv")
    assert dict(zip(risks["patient_id"], risks["group"], strict=True)) == dict(
        zip(predicted["patient_id"], predicted["group"], strict=True)
    )
    page = (folder / "validation.html").read_text()
    assert "External validation of snn on south" in page
    assert "Synthetic data" in page
    assert {path.name for path in folder.glob("*.csv")} >= {"benefit.csv", "calibration.csv", "curves.csv", "shift.csv"}


def test_the_same_files_give_the_same_bytes_in_another_folder(
    project: Project, snn: Path, validate: Validate, tmp_path: Path
) -> None:
    first = read(validate(snn))
    moved = snn.rename(tmp_path / "elsewhere")
    assert read(validate(moved)) == first


def test_patients_of_the_training_are_named_and_refused(project: Project, snn: Path, validate: Validate) -> None:
    with pytest.raises(InputError, match=r"20 patients: P00 \(the same name\); P01"):
        validate(snn, shared_patients="fail")
    assert not (project.folder / "predictions" / "evaluation.json").exists()
    facts = read(validate(snn, shared_patients="keep"))
    assert len(facts["shared"]) == facts["n_patients"] == 20
    assert any("too good" in warning for warning in facts["warnings"])


def test_a_patient_under_another_name_is_found_by_the_genes(
    project: Project, validate: Validate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ccl.predict.fingerprints.LEAST_VALUES", 5)  # the toy cohort has seven genes
    bundle = project.bundle(project.train("snn", 0), project.train("snn", 1))

    def changed(table: pd.DataFrame) -> pd.DataFrame:
        return (table + 0.01 * (table.index != "P03")[:, None]).rename(index=lambda name: f"S-{name}")

    genomics = project.omics(changed)
    rename_patients(project)
    with pytest.raises(InputError, match=r"1 patients: S-P03 \(the same genes\)"):
        validate(bundle, genomics=genomics, shared_patients="fail")
    facts = read(validate(bundle, genomics=genomics, shared_patients="exclude"))
    assert facts["left_out"] == {"S-P03": "a patient of the training: the same genes"}
    assert facts["n_patients"] == 19


def test_a_cohort_without_deaths_is_refused(project: Project, snn: Path, validate: Validate) -> None:
    path = project.folder / "patients.csv"
    pd.read_csv(path).assign(censorship=1).to_csv(path, index=False)
    checksum_file(path).unlink(missing_ok=True)
    with pytest.raises(InputError, match="nobody died"):
        validate(snn)


def test_who_is_not_scored_is_listed_with_the_reason(project: Project, snn: Path, validate: Validate) -> None:
    path = project.folder / "patients.csv"
    table = pd.read_csv(path)
    table[table["patient_id"] != "P01"].to_csv(path, index=False)
    checksum_file(path).unlink(missing_ok=True)
    genomics = project.omics(lambda own: own.drop("P02"))
    facts = read(validate(snn, genomics=genomics))
    assert facts["left_out"] == {"P01": "no follow-up", "P02": "not predicted: in no table that the model reads"}


def test_predictions_of_another_bundle_are_refused(project: Project, snn: Path, validate: Validate) -> None:
    folder = validate(snn)
    facts = json.loads((folder / "predict.json").read_text())
    (folder / "predict.json").write_text(json.dumps({**facts, "bundle_sha256": "0"}))
    checksum_file(folder / "predict.json").unlink()
    from ccl.validate.patients import read_scored

    with pytest.raises(InputError, match="another bundle"):
        read_scored(folder, read_card(snn), project.folder / "patients.csv")


def forget(bundle: Path) -> None:
    """Make a bundle one of an earlier version, which tells nothing of its training."""
    path = bundle / "bundle.json"
    entries = json.loads(path.read_text())
    del entries["training"], entries["key"]
    path.write_text(json.dumps({**entries, "key": digest(entries)}))


def test_an_old_bundle_is_scored_and_what_it_lacks_is_said(project: Project, snn: Path, validate: Validate) -> None:
    forget(snn)
    facts = read(validate(snn, shared_patients="fail"))
    assert facts["drop"]["difference"] is None
    assert facts["shared"] is None
    assert "not recorded" in (project.folder / "predictions" / "validation.html").read_text()
    with pytest.raises(ConfigError, match="does not know the distribution"):
        validate(snn, predict={"expression": "z-score"})


@pytest.mark.parametrize("how", ["z-score", "quantiles"])
def test_expression_on_another_scale_is_brought_to_that_of_the_training(
    project: Project, snn: Path, validate: Validate, how: str
) -> None:
    def stretched(table: pd.DataFrame) -> pd.DataFrame:
        rna = [name for name in table if name.endswith("_rnaseq")]
        return table.assign(**{name: 7 + 3 * table[name] for name in rna})

    plain = pd.read_csv(validate(snn) / "risk.csv").set_index("patient_id")["risk"]
    genomics = project.omics(stretched)
    raw = pd.read_csv(validate(snn, genomics=genomics) / "risk.csv").set_index("patient_id")["risk"]
    folder = validate(snn, genomics=genomics, predict={"expression": how})
    scaled = pd.read_csv(folder / "risk.csv").set_index("patient_id")["risk"]
    np.testing.assert_allclose(scaled, plain, atol=1e-3)
    assert np.abs(raw - plain).max() > 0.01
    assert read(folder)["expression"] == how
    assert read(folder)["shift"]["genes"]["kinds"][0]["large"] > 0.9
