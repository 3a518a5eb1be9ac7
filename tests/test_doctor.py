"""`ccl doctor`: what it finds, what it advises, and that it downloads nothing."""

from __future__ import annotations

import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest
import yaml
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

from ccl import doctor
from ccl.doctor import Finding, encoder_weights, examine
from tests.source.layouts import Truth, cbioportal

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _in_the_project_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *_: pytest.fail("downloaded something"))
    monkeypatch.setattr("ccl.wsi.encoders.hub.try_to_load_from_cache", lambda *_: None)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config that can be planned, of one slide."""
    (tmp_path / "patients.csv").write_text(
        "patient_id,months,censorship\n" + "".join(f"P{i},{i},0\n" for i in range(9))
    )
    (tmp_path / "slides.csv").write_text("slide_id,patient_id,path\nS,P1,S.svs\n")
    (tmp_path / "S.svs").touch()
    values = {
        "results": str(tmp_path / "results"),
        "data": str(tmp_path),
        "cohorts": {"c": {"patients": "patients.csv", "slides": "slides.csv"}},
        "embed": {"encoders": {"resnet50": {"weights": "random"}, "uni": {}}},
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def change(config: Path, **sections: object) -> Path:
    config.write_text(yaml.safe_dump(yaml.safe_load(config.read_text()) | sections))
    return config


def found(config: Path) -> dict[str, Finding]:
    return {finding.what: finding for finding in examine(config)}


def test_a_sound_installation_has_no_failure() -> None:
    findings = list(examine(None))
    assert [finding.what for finding in findings] == ["python", "packages", "torch", "openslide", "jpeg", "disk"]
    assert not [str(finding) for finding in findings if finding.state == "fail"]


def test_packages_that_are_missing_or_too_old_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ["numpy<1", "nonesuch>=2", "click>=8", 'pytest>=8; extra == "dev"']
    monkeypatch.setattr(doctor, "requires", lambda _: wanted)
    finding = doctor.packages()
    assert finding.state == "fail"
    assert "nonesuch>=2 is not installed" in finding.found
    assert "numpy<1 is wanted" in finding.found
    assert "click" not in finding.found
    assert finding.todo


def test_a_check_that_breaks_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openslide", None)  # what a failed import of its library comes to
    (finding,) = [f for f in examine(None) if f.what == "openslide"]
    assert finding.state == "fail"
    assert "ModuleNotFoundError" in finding.found


@pytest.mark.parametrize(("free", "state"), [(0.5e9, "fail"), (20e9, "warn"), (80e9, "ok")])
def test_a_full_disk_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: float, state: str) -> None:
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: namedtuple("Usage", "free")(free))
    finding = doctor.disk(tmp_path / "results" / "of" / "mine")
    assert finding.state == state
    assert str(tmp_path) in finding.found


def test_a_config_is_planned_and_its_encoders_are_looked_for(config: Path) -> None:
    findings = found(config)
    assert findings["config"].state == "ok"
    assert findings["encoder resnet50"].state == "warn"
    assert findings["encoder uni"].state == "fail"
    for words in ("https://huggingface.co/MahmoodLab/UNI", "hf auth login", "HF_TOKEN", "uni: weights:"):
        assert words in findings["encoder uni"].todo


def test_the_patches_of_each_encoder_are_named(config: Path) -> None:
    weights = {"weights": "random"}
    embed = {"encoders": {"conch": weights, "low": {**weights, "encoder": "conch", "tiling": "low"}}}
    findings = found(change(config, embed=embed, tilings={"low": {"mpp": 1.0}}))
    assert findings["patches conch"].state == "ok"
    assert findings["patches conch"].found == "512 px at 0.5 um/px, in tile/20x_512px"
    assert findings["patches low"].state == "warn"
    assert findings["patches low"].found.startswith("patches of 256 px at 1 um/px (published: 512 px at 0.5 um/px)")
    assert findings["encoder low"].found == "random weights"


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({"shrads": 3}, "there is no such key; do you mean `shards`?"),
        ({"cohorts": {"c": {"patients": "patients.csv", "slides": "none.csv"}}}, "none.csv"),
    ],
)
def test_what_is_wrong_in_a_config_is_said(config: Path, section: dict[str, object], expected: str) -> None:
    finding = found(change(config, **section))["config"]
    assert finding.state == "fail"
    assert expected in finding.found


def test_a_cohort_with_features_needs_no_encoder(config: Path) -> None:
    cohort = {"patients": "patients.csv", "slides": "slides.csv", "features": {"uni": "features"}}
    assert not [what for what in found(change(config, cohorts={"c": cohort})) if what.startswith("encoder")]


@pytest.mark.parametrize(("size", "state"), [(2_000_000_000, "ok"), (10**18, "fail")])
def test_slides_to_download_need_room(config: Path, size: int, state: str) -> None:
    folder = config.parent
    (folder / "slides.csv").write_text("slide_id,patient_id,path\nS,P1,id-s/S.svs\n")
    (folder / "manifest.txt").write_text(f"id\tfilename\tmd5\tsize\nid-s\tS.svs\t{'0' * 32}\t{size}\n")
    cohort = {"patients": "patients.csv", "slides": "slides.csv", "download": {"manifest": "manifest.txt"}}
    finding = found(change(config, cohorts={"c": cohort}))["download c"]
    assert finding.state == state
    assert ("1 of 1 slide not there yet, 2.0 GB" if state == "ok" else "no room") in finding.found


def test_slides_that_do_not_exist_are_counted(config: Path) -> None:
    assert (found(config)["slides c"].state, found(config)["slides c"].found) == ("ok", "1 slide")
    (config.parent / "S.svs").unlink()
    finding = found(config)["slides c"]
    assert finding.state == "fail"
    assert "1 of 1 do not exist, such as S (" in finding.found


def test_a_file_that_is_no_config_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("a: [1")
    assert found(tmp_path / "config.yaml")["config"].state == "fail"
    assert found(tmp_path / "nowhere.yaml")["config"].state == "fail"


def test_weights_are_looked_for_wherever_they_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = tmp_path / "weights.pth"
    weights.write_bytes(b"weights")
    assert encoder_weights("hipt", str(weights)).state == "ok"
    assert encoder_weights("phikon").state == "warn"
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "hf_token")
    assert encoder_weights("uni").state == "warn"
    monkeypatch.setattr("ccl.wsi.encoders.hub.try_to_load_from_cache", lambda *_: str(weights))
    assert encoder_weights("uni").state == "ok"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert encoder_weights("uni").state == "ok"
    monkeypatch.setattr("ccl.wsi.encoders.hub.try_to_load_from_cache", lambda *_: None)
    assert encoder_weights("phikon").state == "fail"


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("uni", [("MahmoodLab/UNI", "pytorch_model.bin")]),
        ("vit_small_patch16_224", [("timm/vit_small_patch16_224.augreg_in21k_ft_in1k", "model.safetensors")]),
    ],
    ids=["of the registry", "of timm"],
)
def test_missing_weights_are_fetched(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, asked: list[tuple[str, str]]
) -> None:
    weights = tmp_path / "weights.bin"
    weights.write_bytes(b"weights")
    calls = []

    def give(repo: str, file: str) -> str:
        calls.append((repo, file))
        return str(weights)

    monkeypatch.setattr("ccl.wsi.encoders.hub.hf_hub_download", give)
    encoders = {name: {}, "resnet50": {"weights": "random"}}
    findings = {finding.what: finding for finding in examine(change(config, embed={"encoders": encoders}), fetch=True)}
    assert findings[f"encoder {name}"].state == "ok"
    assert calls == asked
    assert "hub's cache" in findings[f"encoder {name}"].found
    # What is there is not asked for again.
    monkeypatch.setattr("ccl.wsi.encoders.hub.try_to_load_from_cache", lambda *_: str(weights))
    assert encoder_weights(name, fetch=True).state == "ok"
    assert calls == asked


def test_a_model_of_timm_without_safetensors_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = tmp_path / "weights.bin"
    weights.write_bytes(b"weights")

    def give(_: str, file: str) -> str:
        if file == "model.safetensors":
            raise EntryNotFoundError(file)
        return str(weights)

    monkeypatch.setattr("ccl.wsi.encoders.hub.hf_hub_download", give)
    assert encoder_weights("vit_small_patch16_224", fetch=True).state == "ok"


def test_weights_that_cannot_be_fetched_say_why(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: str) -> str:
        raise LocalEntryNotFoundError("no connection")

    monkeypatch.setattr("ccl.wsi.encoders.hub.hf_hub_download", refuse)
    findings = {finding.what: finding for finding in examine(config, fetch=True)}
    assert findings["encoder uni"].state == "fail"
    assert "no connection" in findings["encoder uni"].found
    assert "on a machine with a connection download" in findings["encoder uni"].found


@pytest.mark.parametrize(
    ("name", "entry", "expected"),
    [
        ("hipt", {}, "vit256_small_dino.pth"),
        ("uni", {"weights": "/nowhere/uni.bin"}, "No such file"),
    ],
)
def test_weights_that_cannot_be_there_fail(config: Path, name: str, entry: dict[str, str], expected: str) -> None:
    finding = found(change(config, embed={"encoders": {name: entry}}))[f"encoder {name}"]
    assert finding.state == "fail"
    assert expected in str(finding)


def test_the_command_fails_if_a_check_does(config: Path) -> None:
    ccl = Path(sys.executable).parent / "ccl"
    command = [ccl, "doctor", "--config", change(config, embed={"encoders": {"hipt": {}}})]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "\nfail  encoder hipt: " in result.stdout
    assert subprocess.run([ccl, "doctor"], cwd=ROOT, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("option", [["--fetch"], ["--workflow-profile", "slurm"]])
def test_what_is_about_a_run_asks_for_its_config(option: list[str]) -> None:
    ccl = Path(sys.executable).parent / "ccl"
    result = subprocess.run([ccl, "doctor", *option], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "name its --config" in result.stderr


STAGE = {"kind": "ordinal", "levels": ["I", ["II", "IIA"]]}


def clinical(config: Path, *rows: str, **covariates: object) -> list[Finding]:
    """Return what is found of a clinical table."""
    (config.parent / "clinical.csv").write_text("\n".join(["barcode,stage,sex,OS", *rows, ""]))
    section = {"table": "clinical.csv", "patient_column": "barcode", "covariates": covariates or {"stage": STAGE}}
    change(config, cohorts={"c": {"patients": "patients.csv", "clinical": section}})
    return [finding for finding in examine(config) if finding.what == "clinical c"]


def test_values_that_the_config_does_not_name_are_listed_for_each_covariate(config: Path) -> None:
    """P99 is of another cohort."""
    sex = {"kind": "categorical", "levels": ["female", "male"]}
    rows = ("P1,I,m,1", "P2,IIB,m,1", "P3,X,female,0", "P4,IIB,,0", "P99,IX,f,0")
    findings = clinical(config, *rows, stage=STAGE, sex=sex)
    assert [finding.state for finding in findings] == ["fail", "fail"]
    findings.sort(key=lambda finding: finding.found, reverse=True)
    assert findings[0].found == "stage: values that the config does not name: IIB (2 rows), X (1 row)"
    assert findings[1].found == "sex: values that the config does not name: m (2 rows)"
    assert findings[1].todo == "add them to `levels` or `missing` of `clinical: covariates: sex`"


def test_a_sound_clinical_table_is_well(config: Path) -> None:
    (finding,) = clinical(config, "P1,I,,", "P2,IIA,,", "P2,,,")
    assert finding.state == "ok"
    assert "1 covariate of 2 patients" in finding.found


@pytest.mark.parametrize(
    ("rows", "covariates", "expected"),
    [
        (("P1,I,,", "P1,II,,"), {"stage": STAGE}, "the rows of a patient disagree"),
        (("P99,I,,",), {"stage": STAGE}, "no patient of the cohort"),
        (("P1,I,,1",), {"OS": {"kind": "numeric"}}, "the outcome in disguise"),
        (("P1,I,,1",), {"grade": {"kind": "numeric"}}, "a column is missing"),
    ],
)
def test_what_the_clinical_stage_would_refuse_is_found(
    config: Path, rows: tuple[str, ...], covariates: dict[str, object], expected: str
) -> None:
    (finding,) = clinical(config, *rows, **covariates)
    assert finding.state == "fail"
    assert expected in finding.found


def test_the_covariates_of_a_download_are_checked_once_they_are_made(config: Path) -> None:
    folder = config.parent
    cbioportal(folder / "study", Truth(n=4))
    clinical = {"covariates": {"GRADE": {"kind": "ordinal", "levels": ["G0", "G1"]}}}
    cohort = {"from": {"cbioportal": "study"}, "endpoint": "OS", "clinical": clinical}
    change(config, results=str(folder / "results"), cohorts={"c": cohort})
    made = folder / "results" / "c" / "source" / "clinical.csv"
    (finding,) = [finding for finding in examine(config) if finding.what == "clinical c"]
    assert (finding.state, finding.found) == ("ok", f"the run will make {made}")
    made.parent.mkdir(parents=True)
    made.write_text("patient_id,GRADE\nP1,G0\nP2,G2\n")
    (finding,) = [finding for finding in examine(config) if finding.what == "clinical c"]
    assert finding.state == "fail"
    assert "G2 (1 row)" in finding.found
