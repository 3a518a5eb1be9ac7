"""The comparison of methods, from made-up evaluations."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from ccl.io.errors import InputError
from ccl.pages.numbers import MISSING
from ccl.paper.stage import write_table1
from ccl.results.latex import PUBLISHED
from ccl.results.published import COHORTS
from tests.paper.conftest import SPREAD, write_evaluation
from tests.results.tex import tables_of

ROWS = [("ccl", "resnet50"), ("attmil", "resnet50"), ("snn", MISSING)]
C_INDEX = {"ccl": 0.7, "attmil": 0.6, "snn": 0.65}


def write_model(results, cohort, model, *, c_index=None, **more):
    """Write a model whose method its name starts with; return the evaluation's path."""
    method = model.split("-")[0]
    mean = C_INDEX[method] if c_index is None else c_index
    encoder = "none" if model == "snn" else "resnet50"
    return write_evaluation(
        results,
        cohort,
        model,
        method=method,
        encoder=encoder,
        c_index=lambda protocol, *_: mean + SPREAD[protocol],
        std=0.02,
        **more,
    )


@pytest.fixture
def compare(tmp_path):
    """Write the tables of some models on some cohorts: the tables, the LaTeX of each and the page's words."""

    def made(cohorts, models=tuple(C_INDEX), blanks=None, **more):
        paths = [
            write_model(tmp_path / "results", cohort, model, **more)
            for cohort in cohorts
            for model in models
            if (model, cohort) not in (blanks or {})
        ]
        out = tmp_path / "out"
        write_table1(out=out, evaluations=paths, blanks=blanks or {})
        page = (out / "table1.html").read_text()
        words = " ".join(re.sub(r"<[^>]*>", " ", page.split("</style>")[1]).split())
        tables = [pd.read_csv(out / f"table{number}.csv", keep_default_na=True) for number in (1, 2, 3)]
        return tables, [(out / f"table{number}.tex").read_text() for number in (1, 2, 3)], words

    return made


def test_models_are_ranked_for_each_cohort_and_over_all(compare):
    (table1, table2, table3), _, words = compare(["mine", "yours"])
    scores = table1.set_index(["model", "cohort", "protocol"])
    for cohort in ("mine", "yours", "Overall"):
        assert [scores.loc[(model, cohort, "last"), "rank"] for model in ("ccl", "snn", "attmil")] == [1, 2, 3]
    assert scores.loc[("ccl", "Overall", "last"), "c_index"] == pytest.approx(0.7)
    assert scores.loc[("ccl", "Overall", "best-on-test"), "c_index"] == pytest.approx(0.73)
    assert (scores.loc[("snn", "mine", "last"), ["folds", "seeds"]] == [5, 2]).all()
    assert set(table2["log_rank_p"]) == {0.04}
    row = table3.set_index(["model", "cohort"]).loc[("attmil", "mine")]
    assert row["train_ms"] == pytest.approx(1000 * 0.3 / 2)  # two seeds side by side share a step
    assert row["peak_memory_mb"] == pytest.approx(502)
    assert row["parameters"] == 1234
    assert pd.isna(row["predict_ms"])
    assert "0.700 ± 0.020 rank 1" in words


def test_a_model_that_has_not_learnt_is_marked_and_has_no_rank(tmp_path):
    learnt = {"ccl": 0.8, "attmil": 0.52, "snn": 0.8}
    # The number of attmil on the test patients is the highest.
    paths = [
        write_model(tmp_path, "mine", model, c_index=0.9 if model == "attmil" else None, training_c_index=value)
        for model, value in learnt.items()
    ]
    write_table1(out=tmp_path / "out", evaluations=paths, blanks={})
    ranks = pd.read_csv(tmp_path / "out" / "table1.csv").query("protocol == 'last'").set_index("model")["rank"]
    assert ranks[["ccl", "snn"]].tolist() == [1, 2]
    assert pd.isna(ranks["attmil"])
    page = (tmp_path / "out" / "table1.html").read_text()
    assert "Not trained: attmil with resnet50 on mine." in page
    assert "not trained, as it does not order its own training patients: attmil" in (
        tmp_path / "out" / "table1.tex"
    ).read_text().replace("\\_", "_")


def test_latex_holds_what_the_tables_do(compare):
    _, (latex1, latex2, latex3), _ = compare(["mine", "yours"])
    last, best = tables_of(latex1)
    assert last[0] == ["Model", "Features", "mine", "yours", "Overall"]
    assert last[1] == ["ccl", "resnet50", "0.7000 ± 0.0200", "0.7000 ± 0.0200", "0.7000"]
    assert best[3] == ["snn", MISSING, "0.6800 ± 0.0200", "0.6800 ± 0.0200", "0.6800"]
    assert (
        tables_of(latex2)
        == [
            [["Model", "Features", "mine", "yours"], *([model, features, "0.040", "0.040"] for model, features in ROWS)]
        ]
        * 2
    )
    mine, _ = tables_of(latex3)
    assert mine[2] == ["attmil", "resnet50", "1,234", "150.0", MISSING, "502", "cpu, threads: 1"]
    for latex in (latex1, latex2):
        assert "5 folds, 2 seeds averaged within each." in latex
        captions = re.findall(r"\\caption\{(.*)\}", latex)
        assert ["Protocol last" in caption for caption in captions] == [True, False]
        assert ["Protocol best-on-test" in caption for caption in captions] == [False, True]
    assert "Careful" not in latex1 + latex2 + latex3


def test_latex_has_the_published_row_under_its_protocol_alone(compare):
    _, (latex, _, _), _ = compare(COHORTS)
    last, best = tables_of(latex)
    assert not [row for row in last if row[0].startswith("published")]
    names = [row[0] for row in best]
    below = best[names.index("snn") + 1]
    assert below[:3] == [f"{PUBLISHED}, best-on-test", "", "0.6339 ± 0.0509"]
    assert below[-1] == "0.6821"


def test_latex_bears_any_name(compare):
    hostile = "a_b"
    _, latex, _ = compare([hostile, "c_d"], models=("ccl", f"snn-{hostile}"), weights="random")
    for text in latex:
        assert tables_of(text)
        assert r"a\_b" in text


def test_equal_models_share_a_rank(compare):
    (table1, _, _), _, _ = compare(["mine"], c_index=0.6)
    assert set(table1["rank"]) == {1}
    assert "Overall" not in set(table1["cohort"])


def test_a_missing_modality_is_a_blank_with_its_reason(compare):
    blanks = {("ccl", "genes"): "the cohort has no slides", ("attmil", "genes"): "the cohort has no slides"}
    (table1, _, table3), (latex1, latex2, latex3), words = compare(["both", "genes"], blanks=blanks)
    scores = table1.set_index(["model", "cohort", "protocol"])
    blank = scores.loc[("attmil", "genes", "last")]
    assert pd.isna(blank["c_index"])
    assert pd.isna(blank["rank"])
    assert blank["reason"] == "the cohort has no slides"
    assert pd.isna(scores.loc[("attmil", "Overall", "last"), "c_index"])
    assert scores.loc[("snn", "genes", "last"), "rank"] == 1
    assert len(table3) == 4
    assert ["attmil", "resnet50", "0.6000 ± 0.0200", MISSING, MISSING] in tables_of(latex1)[0]
    assert ["attmil", "resnet50", "0.040", MISSING] in tables_of(latex2)[1]
    assert [row[0] for row in tables_of(latex3)[1]] == ["Model", "snn"]
    assert "attmil on genes: the cohort has no slides" in words


def test_a_model_that_no_cohort_has_the_data_for_is_still_listed(compare):
    (table1, _, _), _, words = compare(["genes"], blanks={(model, "genes"): "no slides" for model in ("ccl", "attmil")})
    assert set(table1["model"]) == set(C_INDEX)
    assert "ccl on genes: no slides" in words


def test_published_numbers_stand_beside_the_protocol_and_recipe_that_they_compare_with(compare):
    (table1, _, _), _, words = compare(COHORTS)
    known = table1.dropna(subset="published").set_index(["model", "cohort"])
    assert set(known["protocol"]) == {"best-on-test"}
    assert known.loc[("attmil", "blca"), "published"] == 0.5673
    assert known.loc[("snn", "Overall"), "published"] == 0.6821
    assert "published" in words


@pytest.mark.parametrize("unlike", [{"track": "native"}, {"synthetic": True}, {"weights": "random"}])
def test_published_numbers_stand_beside_no_others(compare, unlike):
    (table1, _, _), latex, words = compare(COHORTS, models=("ccl", "attmil"), **unlike)
    assert table1["published"].isna().all()
    assert "published" not in "".join(latex)
    for text in latex:
        assert text.count("Careful") == (text.count("caption") if "track" not in unlike else 0)
    assert ("attmil (native)" in latex[0]) == ("track" in unlike)
    assert ("attmil resnet50 native" in words) == ("track" in unlike)


def test_nothing_to_compare_is_said(tmp_path):
    with pytest.raises(InputError, match="nothing to report"):
        write_table1(out=tmp_path, evaluations=[], blanks={})
