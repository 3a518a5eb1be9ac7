"""The stage: who is explained by which fold, what the planted patches get, and the files it leaves."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from shapely.geometry import box, shape

from ccl.config.sections import ExplainSettings
from ccl.data.tables import read_tables
from ccl.evaluate.folds import read_folds
from ccl.explain import EXPLAINED
from ccl.explain.cases import Case, choose_cases
from ccl.explain.explanation import Explanation, explain_patient
from ccl.explain.figures import _raster
from ccl.explain.maps import Places, SlideMap
from ccl.io.errors import ConfigError, InputError
from ccl.io.files import write_table
from ccl.io.formats import Clusters, Features, Genomics, read_manifest, write_manifest
from ccl.io.interop.importing import import_key
from ccl.methods import METHODS, get_method, load
from ccl.methods.interface import SurvivalModel
from tests.explain.conftest import COLUMNS, KINDS, PATCH_PX, PATIENTS, PLANTED, ROWS, Planted

Trained = Callable[[str], list[Path]]


def explained(planted: Planted, runs: Sequence[Path], count: int) -> list[tuple[Case, Explanation]]:
    """What the networks say of some patients."""
    folds = read_folds(runs)
    method = folds[0].facts["method"]
    tables = read_tables(get_method(method).reads, **planted.inputs(method))
    return [(case, explain_patient(case, tables)) for case in choose_cases(folds, ExplainSettings((), count))]


def test_each_patient_is_explained_by_the_fold_that_tested_them(planted: Planted, trained: Trained) -> None:
    cases = choose_cases(read_folds(trained("ccl")), ExplainSettings((), len(PATIENTS)))
    assert {case.patient: case.run.fold for case in cases} == {p: n % 2 for n, p in enumerate(PATIENTS)}
    assert [case.risk for case in cases] == sorted((case.risk for case in cases), reverse=True)


@pytest.mark.parametrize(("count", "ranks"), [(1, [1]), (2, [1, 36]), (3, [1, 2, 36]), (4, [1, 2, 35, 36])])
def test_without_names_the_extremes_are_explained(trained: Trained, count: int, ranks: list[int]) -> None:
    assert [case.rank for case in choose_cases(read_folds(trained("ccl")), ExplainSettings((), count))] == ranks


def test_a_patient_of_no_test_set_is_refused(trained: Trained) -> None:
    """Given fold 0 alone, the patients that its network has learnt from are not explained."""
    with pytest.raises(ConfigError, match=r"never a test patient[\s\S]*P01"):
        choose_cases(read_folds(trained("ccl")[:1]), ExplainSettings(("P00", "P01"), 1))


@pytest.mark.parametrize(
    ("method", "component", "least"),
    [("attmil", "attention", 0.5), ("dtfd-mil", "attention", 0.5), ("transmil", "class token", 0.38)],
)
def test_the_patches_that_carry_the_risk_get_most_attention(
    planted: Planted, trained: Trained, method: str, component: str, least: float
) -> None:
    shares = []
    for case, found in explained(planted, trained(method), 12):
        kinds = planted.kinds[f"{case.patient}-A"]
        shares.append([found.patches[component][kinds == kind].sum() for kind in range(KINDS)])
    assert np.mean(shares, axis=0)[PLANTED] > least  # 0.33 with an even spread


def test_the_cluster_that_carries_the_risk_gets_most_attention_and_the_risk(planted: Planted, trained: Trained) -> None:
    clusters = Clusters.read(planted.folder / "k.h5")
    attention, moved = [], []
    for case, found in explained(planted, trained("ccl"), 12):
        slide = f"{case.patient}-A"
        order = [np.bincount(clusters.labels[slide][planted.kinds[slide] == kind]).argmax() for kind in range(KINDS)]
        attention.append([shares[order] for shares in found.clusters.values()])
        sums = found.attributions.query("kind == 'cluster'").groupby("name")["attribution"].sum()
        moved.append([abs(sums[f"cluster {cluster + 1}"]) for cluster in order])
    assert set(found.clusters) == {"common", "synergistic", "pathology-specific"}
    assert (np.mean(attention, axis=0)[:, PLANTED] > 0.6).all()  # of each component; 0.33 with an even spread
    assert np.sum(moved, axis=0)[PLANTED] > 0.9 * np.sum(moved)


def test_attributions_are_the_difference_to_the_average_patient(planted: Planted, trained: Trained) -> None:
    for case, found in explained(planted, trained("ccl"), 2):
        assert found.risk == pytest.approx(case.risk, abs=1e-5)  # predictions.csv
        moved = found.attributions
        assert abs(found.risk - found.reference_risk) > 0.1
        assert moved["attribution"].sum() == pytest.approx(found.risk - found.reference_risk, abs=0.01)
        assert found.unexplained == pytest.approx(0, abs=0.01)
        # Genes carry nothing here, and specific components see one modality.
        sums = moved.groupby("kind")["attribution"].sum().abs()
        assert sums["cluster"] > 3 * sums["gene"]
        assert (moved.query("component == 'genomic-specific' and kind == 'cluster'")["attribution"] == 0).all()
        assert (moved.query("component == 'pathology-specific' and kind == 'gene'")["attribution"] == 0).all()


def test_of_a_method_that_reads_bags_and_genes_only_genes_are_attributed(planted: Planted, trained: Trained) -> None:
    case, found = explained(planted, trained("mcat"), 1)[0]
    assert set(found.attributions["component"]) == {"whole"}
    assert set(found.attributions["kind"]) == {"gene"}
    assert list(found.attributions["family"].unique()) == ["A", "B"]
    assert found.risk == pytest.approx(case.risk, abs=1e-5)
    assert found.attributions["attribution"].abs().max() > 1e-4
    assert found.unexplained == pytest.approx(0, abs=1e-3)
    assert list(found.patches) == ["co-attention", "A", "B"]
    for shares in found.patches.values():
        assert shares.sum() == pytest.approx(1, abs=1e-5)


def test_without_alignment_there_are_no_average_slides(planted: Planted, tmp_path: Path) -> None:
    runs = planted.train("ccl", tmp_path / "runs", align=False, settings={"epochs": 2, "seeds": (0,)})
    _, found = explained(planted, runs, 1)[0]
    assert set(found.attributions["kind"]) == {"gene"}
    assert found.unexplained == pytest.approx(0, abs=1e-3)
    folder = next(planted.explain("ccl", runs, tmp_path / "out", count=1).iterdir())
    assert "its slides are the patient" in (folder / "explanation.html").read_text()


@pytest.fixture(scope="module")
def folder(planted: Planted, trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of one patient."""
    out = tmp_path_factory.mktemp("explain")
    return planted.explain("ccl", trained("ccl"), out, patients=("P04",)) / "P04"


def test_geojson_holds_each_patch_inside_the_slide(folder: Path) -> None:
    content = json.loads((folder / "P04-A.geojson").read_text())
    assert content["type"] == "FeatureCollection"
    slide = box(0, 0, COLUMNS * PATCH_PX, ROWS * PATCH_PX)
    assert (content["ccl"]["level0_width"], content["ccl"]["level0_height"]) == slide.bounds[2:]
    patches = [shape(feature["geometry"]) for feature in content["features"]]
    assert len(patches) == COLUMNS * ROWS
    assert all(patch.is_valid and slide.contains(patch) and patch.area == PATCH_PX**2 for patch in patches)
    assert sum(patch.area for patch in patches) == slide.area
    assert all(feature["properties"]["objectType"] == "tile" for feature in content["features"])
    for component in ("common", "synergistic", "pathology-specific"):
        values = [feature["properties"]["measurements"][f"Attention {component}"] for feature in content["features"]]
        assert np.mean(values) == pytest.approx(1, rel=1e-4)


def test_the_folder_of_a_patient(folder: Path, trained: Trained) -> None:
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    tables = {"attention.csv", "attributions.csv", "survival.csv"}
    assert names == tables | {"P04-A.geojson", "explanation.html", "explanation.json", "figures"}
    figures = {"survival", "ways", "genes", "families", "clusters", "patches", "map.P04-A"}
    assert {path.name for path in (folder / "figures").iterdir()} == {
        f"{n}.{x}" for n in figures for x in ("svg", "png")
    }
    attention = pd.read_csv(folder / "attention.csv")
    np.testing.assert_allclose(attention.groupby(["component", "kind"])["attention"].sum(), 1, rtol=1e-5)
    assert (attention["std_over_seeds"] >= 0).all()
    survival = pd.read_csv(folder / "survival.csv")["survival"]
    assert survival.iloc[0] == 1
    assert (survival.diff().dropna() <= 0).all()
    predictions = pd.read_csv(trained("ccl")[0] / "predictions.csv").query("patient_id == 'P04' and epoch == 12")
    assert survival.iloc[-1] == pytest.approx(predictions["survival_2"].mean(), abs=1e-4)


def test_the_page_needs_nothing_but_itself_and_describes_its_figures(
    folder: Path, without_script: Callable[[str], str]
) -> None:
    text = (folder / "explanation.html").read_text()
    assert "Patient P04" in text
    assert "Synthetic data" in text
    described = re.findall(r'role="img" aria-label="([^"]{30,})"', text)
    assert len(described) == text.count("<svg") == 7
    assert "<script" not in without_script(text)
    assert 'src="http' not in text
    assert 'href="http' not in text


def copied(planted: Planted, folder: Path) -> Planted:
    shutil.copytree(planted.folder, folder)
    return replace(planted, folder=folder)


def test_features_without_coordinates_are_told_and_cost_only_their_map(
    planted: Planted, trained: Trained, tmp_path: Path
) -> None:
    """A .pt file as CLAM writes them says nothing of places."""
    own = copied(planted, tmp_path / "data")
    rows = read_manifest(own.manifest)
    bare = own.folder / "embed" / "P00-A.pt"
    torch.save(torch.from_numpy(Features.read(rows[0].path).features), bare)
    write_manifest(own.manifest, [replace(rows[0], path=bare, key=import_key(bare)), *rows[1:]])
    folder = own.explain("attmil", trained("attmil"), tmp_path / "out", patients=("P00",)) / "P00"
    assert not list(folder.glob("*.geojson"))
    assert not list((folder / "figures").glob("map*"))
    assert (folder / "figures" / "survival.svg").exists()
    note = "the features have no coordinates of their patches"
    assert note in (folder / "explanation.html").read_text()
    assert note in json.loads((folder / "explanation.json").read_text())["slides"]["P00-A"]["notes"][0]


def test_patches_of_several_scales_are_drawn_at_their_own_size(
    planted: Planted, trained: Trained, tmp_path: Path
) -> None:
    own = copied(planted, tmp_path / "data")
    rows = read_manifest(own.manifest)
    stored = Features.read(rows[0].path)
    assert stored.coords is not None
    sizes = np.full(len(stored.coords), float(PATCH_PX))
    sizes[0] = 2 * PATCH_PX
    replace(stored, sizes=sizes).write(rows[0].path, rows[0].key)
    folder = own.explain("attmil", trained("attmil"), tmp_path / "out", patients=("P00",)) / "P00"
    content = json.loads((folder / "P00-A.geojson").read_text())
    areas = [shape(feature["geometry"]).area for feature in content["features"]]
    assert areas == [4 * PATCH_PX**2] + [PATCH_PX**2] * (len(areas) - 1)
    assert (folder / "figures" / "map.P00-A.svg").exists()
    assert (folder / "figures" / "patches.svg").exists()


def test_attention_on_overlapping_patches_is_their_mean() -> None:
    about = {"patch_size_level0": 2.0, "level0_width": 5, "level0_height": 2}
    places = Places(np.array([[0, 0], [1, 0], [3, 0]]), about, np.array([2.0, 2.0, 1.0]))
    slide = SlideMap("S", places, {}, None, None, ())
    found = _raster(slide, np.array([1.0, 3.0, 7.0]))
    np.testing.assert_array_equal(found, [[1, 2, 3, 7, np.nan], [1, 2, 3, np.nan, np.nan]])


def test_a_slide_that_is_not_at_hand_has_a_map_without_picture(
    planted: Planted, trained: Trained, tmp_path: Path
) -> None:
    own = copied(planted, tmp_path / "data")
    (own.folder / "P00-A.tif").unlink()
    (own.folder / "P01-A.tif").write_bytes(b"no slide")
    out = own.explain("attmil", trained("attmil"), tmp_path / "out", patients=("P00", "P01"))
    for patient, note in (("P00", "slide file is missing"), ("P01", "cannot be shown")):
        assert (out / patient / "figures" / f"map.{patient}-A.svg").exists()
        assert note in (out / patient / "explanation.html").read_text()


def test_another_slide_is_not_shown_behind_a_map(planted: Planted, trained: Trained, tmp_path: Path) -> None:
    own = copied(planted, tmp_path / "data")
    row = next(row for row in read_manifest(own.manifest) if row.slide_id == "P00-A")
    features = Features.read(row.path)
    replace(features, attributes={**features.attributes, "slide_fingerprint": "another"}).write(row.path, row.key)
    out = own.explain("attmil", trained("attmil"), tmp_path / "out", patients=("P00",))
    assert "is not the one that was outlined" in (out / "P00" / "explanation.html").read_text()


def test_features_of_a_sheet_without_paths_have_a_map_without_picture(
    planted: Planted, trained: Trained, tmp_path: Path
) -> None:
    own = copied(planted, tmp_path / "data")
    write_table(own.slides, pd.read_csv(own.slides).assign(path=""))
    folder = own.explain("attmil", trained("attmil"), tmp_path / "out", patients=("P00",)) / "P00"
    assert (folder / "figures" / "map.P00-A.svg").exists()
    assert "slide file is missing" in (folder / "explanation.html").read_text()


def test_other_data_than_the_model_was_trained_on_are_refused(
    planted: Planted, trained: Trained, tmp_path: Path
) -> None:
    own = copied(planted, tmp_path / "data")
    genomics = Genomics.read(own.folder / "genomics.h5")
    moved = tuple(replace(family, values=family.values + 5) for family in genomics.families)
    Genomics(genomics.patients, moved).write(own.folder / "genomics.h5")
    with pytest.raises(InputError, match="do not reproduce the risk that the run predicted"):
        own.explain("ccl", trained("ccl"), tmp_path / "out", count=1)


def test_other_genes_than_the_model_was_trained_on_are_refused(
    planted: Planted, trained: Trained, tmp_path: Path
) -> None:
    own = copied(planted, tmp_path / "data")
    genomics = Genomics.read(own.folder / "genomics.h5")
    Genomics(genomics.patients, genomics.families[::-1]).write(own.folder / "genomics.h5")
    with pytest.raises(InputError, match=r"not those that the run was trained on[\s\S]*B with 6 columns, A with 4"):
        own.explain("ccl", trained("ccl"), tmp_path / "out", count=1)


def test_a_method_without_attention_is_refused(planted: Planted, tmp_path: Path) -> None:
    runs = planted.train("meanmil", tmp_path / "runs", settings={"epochs": 1, "seeds": (0,)})
    with pytest.raises(ConfigError, match=r"no attention to show[\s\S]*meanmil[\s\S]*ccl"):
        planted.explain("meanmil", runs, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_methods_that_are_explained_are_those_that_say_what_they_attend_to() -> None:
    able = {name for name in METHODS if load(name).Model.attends_to is not SurvivalModel.attends_to}
    assert able == set(EXPLAINED)
