"""Sites, folds by site, repeats, held-out patients: what is drawn, and what is refused."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccl.cohort.balance import cost, share_out
from ccl.cohort.draw import draw_folds, draw_held_out
from ccl.cohort.sites import read_sites
from ccl.cohort.stage import make_cohort
from ccl.cohort.words import notes
from ccl.config.cohort_sections import CohortSettings, FoldDraw
from ccl.io.errors import ConfigError, InputError
from ccl.io.files import read_json, read_table


def draw_cohort(count: int, sites: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "patient_id": [
                f"TCGA-{chr(65 + site)}1-{number:04d}" for number, site in enumerate(rng.integers(sites, size=count))
            ],
            "months": rng.exponential(30, count).round(2),
            "censorship": (rng.random(count) < 0.6).astype(int),
        }
    ).assign(site=lambda table: table["patient_id"].str[5:7])


def totals(patients: pd.DataFrame, groups: dict[str, int], size: int) -> np.ndarray:
    found = np.zeros((size, 2))
    for row in patients.itertuples():
        found[groups[row.site]] += (1, row.censorship == 0)
    return found


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), sites=st.integers(6, 12), n_folds=st.integers(2, 4))
def test_no_site_is_on_both_sides_of_a_fold(seed: int, sites: int, n_folds: int) -> None:
    patients = draw_cohort(120, sites, seed)
    folds = draw_folds(patients, FoldDraw(n_folds=n_folds, by="site", fold_seed=seed))
    where = patients.set_index("patient_id")["site"]
    for _, rows in folds.groupby("fold"):
        train, test = (set(where[rows.loc[rows["role"] == role, "patient_id"]]) for role in ("train", "test"))
        assert train
        assert test
        assert not train & test
    assert sorted(folds.loc[folds["role"] == "test", "patient_id"]) == sorted(patients["patient_id"])
    assert folds.equals(draw_folds(patients, FoldDraw(n_folds=n_folds, by="site", fold_seed=seed)))


@pytest.mark.parametrize("seed", range(5))
def test_sites_are_shared_out_as_well_as_by_trying_all_ways(seed: int) -> None:
    patients = draw_cohort(60, 7, seed)
    sites = sorted(set(patients["site"]))
    target = np.outer([1 / 3] * 3, [len(patients), (patients["censorship"] == 0).sum()])
    ways = (dict(zip(sites, way, strict=True)) for way in product(range(3), repeat=len(sites)))
    best = min(float(cost(totals(patients, way, 3), target)) for way in ways)
    (found,) = share_out(patients, [1 / 3] * 3, seed=0)
    assert float(cost(totals(patients, found, 3), target)) == pytest.approx(best)


def test_too_few_sites_are_refused_with_the_largest() -> None:
    patients = draw_cohort(40, 3)
    with pytest.raises(ConfigError) as error:
        draw_folds(patients, FoldDraw(n_folds=4, by="site"))
    largest = patients["site"].value_counts()
    assert f"the largest, {largest.index[0]}, has {100 * largest.iloc[0] / 40:.0f} % of the patients" in str(
        error.value
    )


def test_repeats_by_site_are_all_different_and_the_best_comes_first() -> None:
    patients = draw_cohort(200, 12)
    target = np.outer([1 / 4] * 4, [len(patients), (patients["censorship"] == 0).sum()])
    ways = share_out(patients, [1 / 4] * 4, seed=0, ways=5)
    costs = [float(cost(totals(patients, way, 4), target)) for way in ways]
    assert costs == sorted(costs)
    folds = draw_folds(patients, FoldDraw(n_folds=4, by="site", repeats=5))
    tests = folds[folds["role"] == "test"]
    draws = {
        frozenset(frozenset(own["patient_id"]) for _, own in tests[tests["fold"] // 4 == repeat].groupby("fold"))
        for repeat in range(5)
    }
    assert len(draws) == 5


def test_few_sites_cannot_be_drawn_often() -> None:
    patients = draw_cohort(60, 3)
    with pytest.raises(ConfigError, match="1 good ways for 3 sites"):
        draw_folds(patients, FoldDraw(n_folds=3, by="site", repeats=2))


def test_the_site_is_in_the_barcode_or_in_a_column(tmp_path: Path) -> None:
    table = tmp_path / "p.csv"
    table.write_text("patient_id,site\nP1,north\nP2,south\nP2,south\nP3,\nP4,north\nP4,south\n")
    assert read_sites(table, "patient_id", "site", ["P2", "P1"]) == ["south", "north"]
    for patient in ("P3", "P4"):
        with pytest.raises(InputError, match=f"patient {patient}"):
            read_sites(table, "patient_id", "site", ["P1", patient])
    assert read_sites(table, "patient_id", "tcga-barcode", ["TCGA-2F-A9KO", "TCGA-05-4244"]) == ["2F", "05"]
    with pytest.raises(InputError, match="not a TCGA barcode"):
        read_sites(table, "patient_id", "tcga-barcode", ["P1"])


def test_time_is_alike_in_all_folds_on_demand() -> None:
    patients = draw_cohort(200, 5)
    folds = draw_folds(patients, FoldDraw(n_folds=5, stratify="time"))
    tests = folds[folds["role"] == "test"].merge(patients)
    for _, alike in patients.groupby("censorship"):
        # A fifth of each quarter of the follow-up is in each fold, give or take the one of a remainder.
        quarter = pd.qcut(alike.set_index("patient_id")["months"], 4, labels=False)
        own = tests[tests["patient_id"].isin(alike["patient_id"])]
        counts = pd.crosstab(own["fold"], own["patient_id"].map(quarter))
        assert (counts.max() - counts.min()).max() <= 2


def test_repeats_are_further_partitions_and_the_first_is_that_of_no_repeats() -> None:
    patients = draw_cohort(60, 5)
    once, thrice = (draw_folds(patients, FoldDraw(n_folds=4, repeats=repeats)) for repeats in (1, 3))
    assert thrice[thrice["fold"] < 4].equals(once)
    tests = thrice[thrice["role"] == "test"]
    assert set(tests.groupby("patient_id").size()) == {3}
    for first in (0, 4, 8):
        whole = tests[tests["fold"].between(first, first + 3)]["patient_id"]
        assert sorted(whole) == sorted(patients["patient_id"])
    partitions = [frozenset(tests[tests["fold"] == fold]["patient_id"]) for fold in range(12)]
    assert len(set(partitions)) == 12


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "patients.csv"
    draw_cohort(120, 8).to_csv(path, index=False)
    return path


def make(out: Path, table: Path, held_out: Path | None = None, **keys: Any) -> dict[str, Any]:
    make_cohort("c", out, settings=CohortSettings(n_folds=3, **keys), patients=table, held_out=held_out)
    summary: dict[str, Any] = read_json(out / "summary.json")
    return summary


def patients_in(folder: Path, *names: str) -> set[str]:
    return {patient for name in names for patient in read_table(folder / name)["patient_id"]}


def test_held_out_patients_are_in_no_other_file(tmp_path: Path, table: Path) -> None:
    everybody = patients_in(tmp_path, "patients.csv")
    named = sorted(everybody)[:7]
    (tmp_path / "list.csv").write_text("patient_id\n" + "\n".join(named) + "\n")
    summary = make(tmp_path / "listed", table, tmp_path / "list.csv", site="tcga-barcode", by="site")
    assert summary["held_out"]["patients"] == named
    for folder, seen in (
        (tmp_path / "listed", summary),
        (tmp_path / "drawn", make(tmp_path / "drawn", table, held_out_share=0.25)),
    ):
        apart = patients_in(folder, "held_out.csv")
        assert apart == set(seen["held_out"]["patients"])
        assert patients_in(folder, "patients.csv", "folds.csv") == everybody - apart
    assert len(apart) == pytest.approx(0.25 * 120, abs=1)
    assert any("are held out" in note for note in notes(summary))
    # They come back when the key is taken out.
    assert "held_out" not in make(tmp_path / "drawn", table)
    assert not (tmp_path / "drawn" / "held_out.csv").exists()


def test_whole_sites_are_held_out(tmp_path: Path, table: Path) -> None:
    (tmp_path / "sites.csv").write_text("site\nA1\nC1\n")
    summary = make(tmp_path / "out", table, tmp_path / "sites.csv", site="site")
    assert summary["held_out"]["sites"] == ["A1", "C1"]
    patients = draw_cohort(120, 8)
    apart = set(draw_held_out(patients, FoldDraw(by="site", held_out_share=0.3)))
    for _, own in patients.groupby("site")["patient_id"]:
        assert set(own) <= apart or not set(own) & apart


@pytest.mark.parametrize(
    ("text", "expected"),
    [("patient_id\nX\n", "not in the cohort"), ("site\nZ9\n", "no patients"), ("name\nX\n", "names nobody")],
)
def test_a_wrong_list_of_held_out_patients_is_refused(tmp_path: Path, table: Path, text: str, expected: str) -> None:
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(InputError, match=expected):
        make(tmp_path / "out", table, tmp_path / "list.csv", site="site")


def test_folds_by_site_need_sites(tmp_path: Path, table: Path) -> None:
    with pytest.raises(ConfigError, match="need the sites"):
        make(tmp_path / "out", table, by="site")


def test_folds_are_described_and_imbalance_is_said(
    tmp_path: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw_cohort(200, 12).to_csv(tmp_path / "many.csv", index=False)
    summary = make(tmp_path / "site", tmp_path / "many.csv", site="site", by="site", repeats=2)
    assert [fold["shared_sites"] for fold in summary["folds"]] == [0] * 6
    assert summary["tests_per_patient"] == {"least": 2, "most": 2}
    assert any("Each patient is tested in 2 folds" in note for note in notes(summary))
    printed = capsys.readouterr().err
    assert printed.count("0 also in train") == 6
    assert "No hospital is on both sides" in printed
    assert make(tmp_path / "patient", table, site="site")["folds"][0]["shared_sites"] == 8

    patients = read_table(table).sort_values("months")
    patients["site"] = np.repeat(["north", "east", "west"], [16, 52, 52])
    patients.to_csv(table, index=False)
    said = " ".join(make(tmp_path / "unlike", table, site="site", by="site")["imbalance"])
    small = [fold for fold in read_json(tmp_path / "unlike" / "summary.json")["folds"] if fold["test"] == 16]
    assert f"Fold {small[0]['fold']} has 16 test patients; the mean of all folds is 40." in said
    assert "survive longer or shorter than the others" in said
