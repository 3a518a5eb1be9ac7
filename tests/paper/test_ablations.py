"""The stage: tables, page and figures from made-up evaluations."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from ccl.io.errors import InputError
from ccl.paper.ablations import TABLES, models_of
from ccl.paper.stage import write_ablations
from ccl.results.latex import PUBLISHED
from ccl.results.published import COHORTS
from tests.results.tex import tables_of

CCL = Path(sys.executable).parent / "ccl"


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write the tables of some evaluations, figures left out, and return them and the page's text."""
    monkeypatch.setattr("ccl.paper.stage._draw_differences", lambda *_: {})

    def made(evaluations, base=None, without=()):
        out = tmp_path / "out"
        for table in TABLES:
            write_ablations(out=out, table=table, evaluations=evaluations, base=base or {"k": 6})
        write_ablations(out=out, evaluations=evaluations, base=base or {"k": 6}, without=without)
        return {name: pd.read_csv(out / f"table{name}.csv") for name in TABLES}, (out / "ablations.html").read_text()

    return made


def words(page):
    return " ".join(re.sub(r"<[^>]*>", " ", page.split("</style>")[1]).split())


def test_a_row_says_what_it_is_under_which_protocol_and_how_sure(make_evaluations, write, spread):
    tables, _ = write(make_evaluations("luad", c_index=spread))
    assert [len(tables[name]) for name in TABLES] == [2 * 4, 2, 2 * 5, 2 * 5, 2 * 12]
    row = tables[8].set_index(["point", "protocol"]).loc[("b = 5", "last")]
    assert (row["model"], row["cohort"], row["encoder"]) == ("ccl@b5", "luad", "resnet50")
    assert (row["folds"], row["seeds"], row["data"], row["weights"]) == (5, 2, "real", "hub")
    assert row["c_index"] == pytest.approx(0.6 + 0.1 + 0.01 - 0.01)
    assert row["difference"] == pytest.approx(-0.01)
    assert row["lower"] < row["difference"] < row["upper"]
    default = tables[8][tables[8]["model"] == "ccl"]
    assert sorted(set(default["point"])) == ["b = 10", "k = 6", "r = 4", "τ = 0.1"]
    assert default[["difference", "se", "lower", "upper"]].isna().all(axis=None)


def test_published_numbers_stand_beside_the_protocol_that_they_compare_with(make_evaluations, write):
    tables, page = write(make_evaluations("TCGA_LUAD"))
    rows = tables[7].set_index(["point", "protocol"])
    assert rows.loc[("G + P + S", "best-on-test"), "published"] == 0.6722
    assert rows.loc[("G + P + S", "best-on-test"), "published_difference"] == pytest.approx(0.6722 - 0.6957)
    assert rows.xs("last", level="protocol")[["published", "published_difference"]].isna().all(axis=None)
    assert list(tables[5]["published"]) == [5.6450, 4.9767]
    assert "0.672 Δ −0.023" in words(page)  # noqa: RUF001 (a minus sign)


@pytest.mark.parametrize(
    ("cohort", "synthetic", "weights"), [("kirc", False, "hub"), ("luad", True, "hub"), ("luad", False, "random")]
)
def test_published_numbers_stand_beside_no_others(make_evaluations, write, cohort, synthetic, weights):
    tables, page = write(make_evaluations(cohort, synthetic=synthetic, weights=weights))
    assert all(table["published"].isna().all() for table in tables.values())
    assert "published" not in words(page)


def test_published_numbers_stand_beside_those_of_the_same_features(make_evaluations, write):
    tables, _ = write(make_evaluations("luad") + make_evaluations("luad", encoder="uni"))
    for table in tables.values():
        known = table[table["published"].notna()]
        assert set(known["encoder"]) == {"resnet50"}


def test_several_cohorts_have_a_mean(make_evaluations, write, spread):
    two = make_evaluations("luad", c_index=spread) + make_evaluations("mine", synthetic=True, weights="random")
    tables, page = write(two)
    rows = tables[4].set_index(["point", "protocol", "cohort"])
    mean = rows.loc[("Baseline", "last", "Overall")]
    assert mean["c_index"] == pytest.approx((0.7 + 0.6) / 2)
    assert mean["difference"] == pytest.approx(-0.005)
    assert mean["se"] == pytest.approx(rows.loc[("Baseline", "last", "luad"), "se"] / 2)
    assert (mean["data"], mean["weights"], mean["folds"]) == ("real and synthetic", "hub, random", 10)
    assert "Overall" not in set(tables[5]["cohort"])
    assert page.count(">Overall</th>") == 4


def test_the_published_mean_stands_beside_the_five_cohorts(make_evaluations, write):
    tables, _ = write([path for name in COHORTS for path in make_evaluations(name)])
    rows = tables[8][tables[8]["point"].str.startswith("k") & (tables[8]["cohort"] == "Overall")]
    assert list(rows["published"].dropna()) == [0.7089, 0.7260, 0.7232]


def test_the_published_mean_does_not_stand_beside_two(make_evaluations, write):
    tables, _ = write(make_evaluations("blca") + make_evaluations("luad"))
    known = tables[4].dropna(subset="published")
    assert set(known["cohort"]) == {"blca", "luad"}


def test_a_mean_needs_the_encoder_in_every_cohort(make_evaluations, write):
    evaluations = make_evaluations("a") + make_evaluations("b") + make_evaluations("a", encoder="uni")
    tables, page = write(evaluations)
    rows = tables[4]
    assert set(rows[rows["encoder"] == "uni"]["cohort"]) == {"a"}
    assert set(rows[rows["encoder"] == "resnet50"]["cohort"]) == {"a", "b", "Overall"}
    assert page.count('<table class="headline">') == 2 * 5


def test_distances_are_the_mean_over_seeds_and_folds(make_evaluations, write):
    tables, _ = write(make_evaluations("blca"))
    before, after = tables[5].to_dict("records")
    assert (before["point"], after["point"]) == ("before alignment", "after alignment")
    assert (before["distance"], before["std"]) == (pytest.approx(7), pytest.approx(2**0.5))
    assert (after["distance"], after["std"], after["folds"], after["seeds"]) == (3, 0, 5, 2)


def test_a_default_without_alignment_has_no_distances(make_evaluations, write):
    evaluations = make_evaluations("blca")
    for run in evaluations[0].parents[3].glob("train/resnet50/ccl/fold*/run.json"):
        run.write_text(json.dumps({**json.loads(run.read_text()), "facts": {}}))
    tables, page = write(evaluations)
    assert tables[5]["distance"].isna().all()
    assert list(tables[5]["seeds"]) == [0, 0]
    assert "–" in words(page)  # noqa: RUF001 (the dash of an empty cell)


def test_invented_patients_and_untrained_encoders_are_named_in_every_table(make_evaluations, write):
    tables, page = write(make_evaluations("demo", synthetic=True, weights="random"))
    for table in tables.values():
        assert set(table["data"]) == {"synthetic"}
        assert set(table["weights"]) == {"random"}
    assert "The patients of demo do not exist" in page
    assert page.count('<span class="chip">synthetic data</span>') == 5
    assert page.count('<span class="chip">random encoder weights</span>') == 5


def test_cohorts_without_slides_are_named(make_evaluations, write):
    _, page = write(make_evaluations("blca"), without=["genes", "<b>"])
    assert "Left out: genes, &lt;b&gt;." in page


def test_the_released_preset_says_that_its_groups_are_by_time(make_evaluations, write):
    base = {"k": 6, "preset": "released"}
    tables, page = write(make_evaluations("blca", base=base), base=base)
    points = tables[8].set_index("point")["model"]
    assert set(points["r = 4 (groups by time)"]) == {"ccl@r4"}
    assert "r = 4 (groups by time)" in words(page)
    assert "preset: released" in page


def test_latex_has_a_table_for_each_encoder_and_protocol(tmp_path, make_evaluations, write):
    write([*make_evaluations("a"), *make_evaluations("b"), *make_evaluations("a", encoder="uni")])
    latex = (tmp_path / "out" / "table4.tex").read_text()
    last, best, last_uni, best_uni = tables_of(latex)
    assert last == best
    assert last[0] == ["", "a", "b", "Overall"]
    assert last_uni[0] == best_uni[0] == ["", "a"]
    assert last[1] == ["Baseline", "0.6000 ± 0.0500", "0.6000 ± 0.0500", "0.6000"]
    assert [row[0] for row in last[2:]] == ["+ CCA", "+ CCA + MKD", "+ CCA + MKD + CGM (default)"]
    captions = re.findall(r"\\caption\{(.*)\}", latex)
    assert ["Protocol last" in caption for caption in captions] == [True, False] * 2
    assert ["features of uni" in caption for caption in captions] == [False, False, True, True]
    assert all("over 5 folds, 2 seeds averaged within each" in caption for caption in captions)
    distances = tables_of((tmp_path / "out" / "table5.tex").read_text())
    assert distances[0][1] == ["before alignment", "7.0000 ± 1.4142", "7.0000 ± 1.4142"]


def test_latex_has_published_rows_under_their_protocol_alone(tmp_path, make_evaluations, write):
    write(make_evaluations("luad"))
    latex = (tmp_path / "out" / "table7.tex").read_text()
    assert ["Zhou" in block for block in latex.split(r"\end{table}")[:2]] == [False, True]
    last, best = tables_of(latex)
    assert best[2] == [f"{PUBLISHED}, best-on-test", "0.6722"]
    assert not [row for row in last if row[0].startswith("published")]
    (distances,) = tables_of((tmp_path / "out" / "table5.tex").read_text())
    assert distances[2] == [PUBLISHED, "5.6450"]


def test_latex_bears_any_name_and_says_what_is_not_real(tmp_path, make_evaluations, write):
    write(make_evaluations("a_b", encoder="my_net", synthetic=True, weights="random"))
    for number in TABLES:
        latex = (tmp_path / "out" / f"table{number}.tex").read_text()
        assert [table[0] for table in tables_of(latex)] == [["", r"a\_b"]] * latex.count("caption")
        assert latex.count(r"Careful: the patients of a\_b are synthetic") == latex.count("caption")


def test_one_table_needs_its_own_points_alone(tmp_path, make_evaluations):
    evaluations = make_evaluations("blca")
    default, *modules = (path for path in evaluations if path.parent.name in models_of({"k": 6}, 4))
    write_ablations(out=tmp_path / "out", table=4, evaluations=[default, *modules], base={"k": 6})
    write_ablations(out=tmp_path / "out", table=5, evaluations=[default], base={"k": 6})
    assert sorted(path.name for path in (tmp_path / "out").glob("[!.]*")) == [
        f"table{number}.{kind}" for number in (4, 5) for kind in ("csv", "tex")
    ]
    with pytest.raises(InputError, match="ccl@baseline/resnet50/blca"):
        write_ablations(out=tmp_path / "out", table=4, evaluations=[default], base={"k": 6})


def test_a_point_that_was_not_judged_is_named(make_evaluations, write):
    evaluations = [path for path in make_evaluations("blca") if path.parent.name != "ccl@GPS"]
    with pytest.raises(InputError, match="ccl@GPS/resnet50/blca"):
        write(evaluations)
    with pytest.raises(InputError, match="no evaluation of ccl"):
        write([path for path in evaluations if path.parent.name != "ccl"])


def test_other_models_are_passed_over(make_evaluations, write):
    more = make_evaluations("blca", base={"k": 6, "preset": "released"})
    tables, _ = write(more)
    assert len(tables[8]) == 2 * 12


def test_the_command_writes_one_page_that_needs_nothing_else(tmp_path, make_evaluations, spread):
    evaluations = make_evaluations("blca", c_index=spread)
    out = tmp_path / "out"
    for options in (("--without", "genes"), ("--table", "4")):
        command = [CCL, "ablations", *evaluations, "--out", out, "--base", '{"k": 6}', *options]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
    made = sorted(str(path.relative_to(out)) for path in out.rglob("[!.]*.*") if path.parent.name != ".origin")
    figures = [f"figures/differences.blca.resnet50.{suffix}" for suffix in ("png", "svg")]
    assert made == sorted(["ablations.html", "table4.csv", "table4.tex", *figures])
    page = (out / "ablations.html").read_text()
    assert page.count("<svg") == 1
    assert not re.search(r"<script[^>]*src|<link|<img|https?://|@import", page)
    identifiers = re.findall(r'\bid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(identifiers)
    drawing = (out / figures[1]).read_text()
    for label in ("Baseline", "1 (synergistic)", "G + P + S", "τ = 0.05", "published, best-on-test"):
        assert label in drawing
    assert "k = 6" not in drawing  # the default's difference to itself
