"""The stage: a row a patient and component, statistics that another computation confirms, the same bytes twice."""

from __future__ import annotations

import json
import shutil
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import silhouette_samples

from ccl.components import DECOMPOSED
from ccl.components.stage import find_components
from ccl.data.batch import Batch
from ccl.io.errors import ConfigError, InputError, ModelError
from ccl.io.files import write_json
from ccl.io.formats import Clusters, Genomics
from ccl.methods import METHODS, load
from ccl.methods.interface import SurvivalModel
from ccl.train.store import load_model
from tests.components.conftest import Drawn, draw_cohort

NAMES = ["common", "synergistic", "genomic-specific", "pathology-specific"]


def stored(drawn: Drawn, run: Path, seed: int, patients: list[str]) -> NDArray[np.float64]:
    """The components (P, T, d) of the patients, from the stored network and the files, all patients at once."""
    model, scalers = load_model(run / "model.safetensors", seed)
    genomics, clusters = Genomics.read(drawn.folder / "genomics.h5"), Clusters.read(drawn.folder / "k.h5")
    rows = [genomics.patients.index(patient) for patient in patients]
    genes = tuple(torch.from_numpy(scalers.families[f.name].apply(f.values[rows]))[None] for f in genomics.families)
    with torch.no_grad():
        _, components = model.encode(Batch(genes, torch.from_numpy(clusters.centres[rows])[None], None))
    return components[0].double().numpy()


def predicted(run: Path) -> pd.DataFrame:
    table = pd.read_csv(run / "predictions.csv")
    return table[table["epoch"] == table["epoch"].max()]


def statistics(folder: Path) -> dict[tuple[str, str, str], Any]:
    table = pd.read_csv(folder / "similarity.csv").fillna({"first": "", "second": ""})
    return {(row.statistic, row.first, row.second): row for row in table.itertuples()}


def test_each_test_patient_has_a_row_for_each_component(trained: list[Path], made: Path) -> None:
    table = pd.read_csv(made / "components.csv")
    assert list(table) == ["fold", "patient_id", "component", "x", "y", "group", "censorship", "risk"]
    assert np.isfinite(table[["x", "y"]]).all(axis=None)
    for fold, run in enumerate(trained):
        mine, theirs = table[table["fold"] == fold], predicted(run)
        patients = sorted(set(theirs["patient_id"]))
        assert mine[["patient_id", "component"]].to_numpy().tolist() == [[p, c] for p in patients for c in NAMES]
        risks = theirs.groupby("patient_id")["risk"].mean()
        assert mine["risk"].to_numpy() == pytest.approx(risks[mine["patient_id"]].to_numpy(), abs=1e-6)
        assert (mine.groupby("patient_id")["group"].nunique() == 1).all()


def test_the_groups_are_those_of_cohort_guidance(drawn: Drawn, trained: list[Path], made: Path) -> None:
    """Two groups of the training patients by follow-up: their border is the median."""
    outcomes = pd.read_csv(drawn.folder / "patients.csv").set_index("patient_id")["months"]
    folds = pd.read_csv(drawn.folder / "folds.csv")
    for fold, rows in pd.read_csv(made / "components.csv").groupby("fold"):
        training = folds[(folds["fold"] == fold) & (folds["role"] == "train")]["patient_id"]
        expected = 1 + (outcomes[rows["patient_id"]].to_numpy() >= outcomes[training].median())
        assert rows["group"].to_numpy().tolist() == expected.tolist()
    assert json.loads((made / "components.json").read_text())["groups"] == "guidance"


def test_without_guidance_by_time_the_groups_are_the_survival_intervals(drawn: Drawn, tmp_path: Path) -> None:
    runs = drawn.train(tmp_path, groups_by="intervals")
    made = drawn.components(runs, tmp_path / "made")
    table = pd.read_csv(made / "components.csv")
    outcomes = pd.read_csv(drawn.folder / "patients.csv").set_index("patient_id")["months"]
    for fold, rows in table.groupby("fold"):
        edges = json.loads((runs[int(fold)] / "run.json").read_text())["interval_edges"]
        assert (rows["group"].to_numpy() == 1 + (outcomes[rows["patient_id"]].to_numpy() >= edges[1])).all()
    assert json.loads((made / "components.json").read_text())["groups"] == "survival intervals"


def test_cosines_are_those_of_the_stored_networks(drawn: Drawn, trained: list[Path], made: Path) -> None:
    found = statistics(made)
    by_fold = []
    for run in trained:
        patients = sorted(set(predicted(run)["patient_id"]))
        seeds = []
        for seed in (0, 1):
            units = stored(drawn, run, seed, patients)
            units /= np.linalg.norm(units, axis=2, keepdims=True)
            seeds.append(np.einsum("pad,pbd->pab", units, units))
        by_fold.append(np.mean(seeds, axis=0))
    for first, second in combinations(range(4), 2):
        means = [cosine[:, first, second].mean() for cosine in by_fold]
        row = found["cosine", NAMES[first], NAMES[second]]
        assert (row.mean, row.std, row.folds) == (
            pytest.approx(np.mean(means), abs=1e-5),
            pytest.approx(np.std(means), abs=1e-5),
            2,
        )


def test_a_component_between_both_is_nearer_to_each_than_they_are_to_each_other(drawn: Drawn, tmp_path: Path) -> None:
    runs = drawn.train(tmp_path, settings={"seeds": (3,)})[:1]
    found = statistics(drawn.components(runs, tmp_path / "made"))
    units = stored(drawn, runs[0], 3, sorted(set(predicted(runs[0])["patient_id"])))
    units /= np.linalg.norm(units, axis=2, keepdims=True)
    common, _, genomic, pathology = units.transpose(1, 0, 2)
    near = np.minimum((common * genomic).sum(axis=1), (common * pathology).sum(axis=1))
    expected = np.mean(near - (genomic * pathology).sum(axis=1))
    assert found["between", "common", ""].mean == pytest.approx(expected, abs=1e-5)
    assert ("between", "genomic-specific", "") not in found


def test_silhouettes_are_those_of_the_space_before_t_sne(drawn: Drawn, trained: list[Path], made: Path) -> None:
    table, found = pd.read_csv(made / "components.csv"), statistics(made)
    of_components, of_groups = [], []
    for fold, run in enumerate(trained):
        mine = table[(table["fold"] == fold) & (table["component"] == "common")].set_index("patient_id")
        died = mine[mine["censorship"] == 0]
        for seed in (0, 1):
            vectors = stored(drawn, run, seed, list(mine.index))
            flat, labels = vectors.reshape(-1, vectors.shape[2]), np.tile(range(4), len(vectors))
            of_components.append(silhouette_samples(flat, labels).mean())
            common = stored(drawn, run, seed, list(died.index))[:, 0]
            of_groups.append(silhouette_samples(common, died["group"]).mean())
    assert found["silhouette_components", "", ""].mean == pytest.approx(np.mean(of_components), abs=1e-5)
    assert found["silhouette_groups", "common", ""].mean == pytest.approx(np.mean(of_groups), abs=1e-5)


def test_the_same_bytes_twice_and_in_any_order(drawn: Drawn, trained: list[Path], made: Path, tmp_path: Path) -> None:
    again = drawn.components(trained[::-1], tmp_path)
    for name in ("components.csv", "similarity.csv", "components.json"):
        assert (again / name).read_bytes() == (made / name).read_bytes()


def test_a_fold_alone_lies_as_it_does_among_others(
    drawn: Drawn, trained: list[Path], made: Path, tmp_path: Path
) -> None:
    alone = pd.read_csv(drawn.components(trained[1:], tmp_path) / "components.csv")
    together = pd.read_csv(made / "components.csv").query("fold == 1").reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, together)


@pytest.mark.parametrize("per_fold", [1, 2])
def test_folds_of_one_or_two_test_patients(tmp_path: Path, per_fold: int) -> None:
    """What one or two patients cannot tell is left empty."""
    small = draw_cohort(tmp_path / "toy", patients=12, folds=12 // per_fold)
    runs = small.train(tmp_path / "runs", settings={"seeds": (0,), "epochs": 1})[:2]
    made = small.components(runs, tmp_path / "made")
    table = pd.read_csv(made / "components.csv")
    assert len(table) == 2 * per_fold * 4
    assert np.isfinite(table[["x", "y"]]).all(axis=None)
    found = statistics(made)
    assert np.isfinite(found["cosine", "common", "synergistic"].mean)
    groups, components = found["silhouette_groups", "common", ""], found["silhouette_components", "", ""]
    assert (np.isnan(groups.mean), np.isnan(groups.std), groups.folds) == (True, True, 0)
    assert components.folds == (0 if per_fold == 1 else 2)


def test_without_decomposition_there_are_the_two_modalities(drawn: Drawn, tmp_path: Path) -> None:
    made = drawn.components(drawn.train(tmp_path, decompose=False, guide=False), tmp_path / "made")
    assert list(pd.read_csv(made / "components.csv")["component"].unique()) == ["genomics", "pathology"]
    assert [row.statistic for row in statistics(made).values()] == [
        "cosine",
        "silhouette_components",
        *["silhouette_groups"] * 2,
    ]


def test_a_patient_that_training_left_out_has_no_rows(tmp_path: Path) -> None:
    small = draw_cohort(tmp_path / "toy", patients=12, folds=2)
    clusters = Clusters.read(small.folder / "k.h5")
    kept = Clusters(
        clusters.patients[1:], clusters.centres[1:], clusters.sizes[1:], {}, "drawn", "random", {"P000": "no tissue"}
    )
    kept.write(small.folder / "k.h5")
    made = small.components(small.train(tmp_path / "runs"), tmp_path / "made")
    assert set(pd.read_csv(made / "components.csv")["patient_id"]) == set(clusters.patients[1:])


def test_other_files_than_those_of_training_are_refused(drawn: Drawn, trained: list[Path], tmp_path: Path) -> None:
    genomics = Genomics.read(drawn.folder / "genomics.h5")
    Genomics(genomics.patients[::-1], genomics.families).write(tmp_path / "other.h5")
    with pytest.raises(InputError, match="do not reproduce the risk that the run predicted"):
        find_components(
            runs=trained, genomics=tmp_path / "other.h5", clusters=drawn.folder / "k.h5", out=tmp_path / "made"
        )
    with pytest.raises(ConfigError, match="was not given what it reads"):
        find_components(runs=trained, genomics=None, clusters=drawn.folder / "k.h5", out=tmp_path / "made")
    clusters = Clusters.read(drawn.folder / "k.h5")
    Clusters(
        clusters.patients[1:], clusters.centres[1:], clusters.sizes[1:], {}, "drawn", "random", {"P000": "lost"}
    ).write(tmp_path / "fewer.h5")
    with pytest.raises(ModelError, match=r"lacks what the method reads[\s\S]*P000[\s\S]*lost"):
        find_components(
            runs=trained, genomics=drawn.folder / "genomics.h5", clusters=tmp_path / "fewer.h5", out=tmp_path / "made"
        )
    assert not (tmp_path / "made").exists()


def test_a_method_without_components_is_refused(drawn: Drawn, trained: list[Path], tmp_path: Path) -> None:
    run = tmp_path / "fold0"
    shutil.copytree(trained[0], run)
    facts = json.loads((run / "run.json").read_text()) | {"method": "mcat"}
    write_json(run / "run.json", facts)
    with pytest.raises(ConfigError, match=r"has no knowledge components[\s\S]*mcat"):
        find_components(runs=[run], genomics=None, clusters=None, out=tmp_path / "made")


@pytest.mark.parametrize("method", METHODS)
def test_just_the_methods_that_are_named_have_components(method: str) -> None:
    has_components = load(method).Model.decomposed is not SurvivalModel.decomposed
    assert has_components == (method in DECOMPOSED)


def test_a_model_without_components_says_so() -> None:
    with pytest.raises(ModelError, match="has no knowledge components"):
        SurvivalModel().decomposed(Batch((), None, None))
