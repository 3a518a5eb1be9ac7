"""The page and its tables with unusual results; figures are not drawn here."""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest
from markupsafe import Markup

from ccl.config.sections import GenomicsSettings, ReportSettings
from ccl.evaluate.compare import compare_evaluations
from ccl.genomics.stage import group_genomics
from ccl.io.errors import InputError
from ccl.io.files import write_json, write_table
from ccl.io.formats import Genomics, ManifestRow, write_manifest
from ccl.methods import hyper
from ccl.report.comparisons import comparisons
from ccl.report.latex import latex_tables
from ccl.report.page import render_report
from ccl.report.stage import write_report
from ccl.report.tables import headline, make_tables
from ccl.results.gather import evaluations_of, gather
from ccl.results.published import COHORTS


def page_of(cohorts, folder=Path("/results/report")):
    drawn = defaultdict(Markup)
    settings = ReportSettings("Page")
    text = render_report(cohorts, make_tables(cohorts), drawn, config={}, settings=settings, folder=folder)
    return " ".join(text.split())


def test_overall_is_the_mean_over_cohorts_and_missing_where_one_is(tmp_path, make_results):
    both = (("resnet50", "ccl"), ("none", "snn"))
    evaluations = make_results(tmp_path, "a", methods=both) + make_results(tmp_path, "b", methods=both[:1], n=60)
    rows = {
        line["row"].model: [[cell["value"] for cell in place] for place in line["places"]]
        for line in headline(gather(evaluations))
    }
    (first, _), (second, _), (overall, _) = rows["ccl"]
    assert first != second
    assert overall == pytest.approx((first + second) / 2)
    assert rows["snn"][1:] == [[None, None], [None, None]]


def test_published_overall_stands_only_beside_all_five_cohorts(tmp_path, make_results):
    evaluations = [path for name in COHORTS for path in make_results(tmp_path, name, n=24)]
    five, four = headline(gather(evaluations)), headline(gather(evaluations[:4]))
    assert [row["published"] for row in five] == ["", "CCL (Ours)"]
    last, best = zip(*five[1]["places"], strict=True)
    assert best[-1]["published"] == 0.7260
    assert (best[2]["published"], best[2]["published_std"]) == (0.8614, 0.0149)
    assert [cell["published"] for cell in last] == [None] * 6
    assert four[1]["places"][-1][1]["published"] is None


RELEASED = asdict(hyper("ccl", {"preset": "released"}))
CHANGED = RELEASED | {"cohort_weight": 0.5}


def test_published_number_belongs_to_the_method_whatever_the_run_is_called(tmp_path, make_results):
    methods = (("resnet50", "ccl"), ("none", "snn"), ("resnet50", "released", "ccl"))
    cohorts = gather(make_results(tmp_path, "blca", methods=methods, hyper=RELEASED))
    rows = [row["published"] or row["row"].model for row in headline(cohorts)]
    assert rows[:3] == ["ccl", "released", "CCL (Ours)"]
    table = make_tables(cohorts)["published"].set_index("model")
    assert table.loc["released", "published_c_index"] == 0.6862
    assert table.loc["released", "method"] == "ccl"


def test_other_method_under_a_published_name_has_no_published_number(tmp_path, make_results):
    cohorts = gather(make_results(tmp_path, "blca", methods=(("resnet50", "cmta", "ccl"), ("none", "ccl", "snn"))))
    assert make_tables(cohorts)["published"]["published_method"].tolist() == ["CCL (Ours)", "SNN"]


@pytest.mark.parametrize("options", [{"hyper": CHANGED}, {"weights": "random"}, {"synthetic": True}])
def test_changed_method_or_made_up_data_have_no_published_number(tmp_path, make_results, options):
    found = {"distance_before_alignment": [5.0, 5.0], "distance_after_alignment": [4.0, 4.0]}
    cohorts = gather(make_results(tmp_path, "blca", found=found, **options))
    assert "published" not in make_tables(cohorts)
    assert [row["published"] for row in headline(cohorts)] == [""]
    assert make_tables(cohorts)["alignment"]["published_before"].isna().all()


def words_of(page):
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_hyper_parameters_that_are_not_the_default_are_shown(tmp_path, make_results):
    methods = (("resnet50", "mine", "ccl"),)
    words = words_of(page_of(gather(make_results(tmp_path, "a", methods=methods, hyper=CHANGED))))
    assert "mine (ccl) with resnet50" in words
    said = words.split("other than the defaults of ccl: ")[1].split(" .")[0]
    assert said.startswith("cohort_weight 0.5; by its preset released: ")
    for key in ("shared_snn true", "aggregate standardised", "per_component false"):
        assert key in said
    assert "dropout" not in said


def test_method_with_its_defaults_lists_no_hyper_parameters(tmp_path, make_results):
    page = page_of(gather(make_results(tmp_path, "a", hyper=asdict(hyper("ccl", {})))))
    assert "other than the defaults" not in page
    assert "(ccl)" not in page


def test_citation_is_of_the_method(tmp_path, make_results):
    page = page_of(gather(make_results(tmp_path, "a", methods=(("none", "genes", "snn"),))))
    assert "<dt>snn</dt><dd>Klambauer" in page


def test_several_seeds_have_a_spread_in_table_and_page(tmp_path, make_results):
    evaluations = make_results(tmp_path, "a", seeds=(3, 1, 8))
    table = make_tables(gather(evaluations))["c_index"]
    words = words_of(page_of(gather(evaluations)))
    found = json.loads(evaluations[0].read_text())["protocols"]
    assert table["seeds"].tolist() == [3, 3]
    for row in table.to_dict("records"):
        assert row["std_over_seeds"] == found[row["protocol"]]["std_over_seeds"] > 0
        assert f"seeds ± {row['std_over_seeds']:.3f}" in words
    for last, best in zip(*(found[name]["seeds"] for name in ("last", "best-on-test")), strict=True):
        assert f"Seed {last['seed']} {last['mean']:.3f} {best['mean']:.3f}" in words


def test_one_seed_has_no_spread(tmp_path, make_results):
    cohorts = gather(make_results(tmp_path, "a", seeds=(4,)))
    assert not {"seeds", "std_over_seeds"} & set(make_tables(cohorts)["c_index"])
    words = words_of(page_of(cohorts))
    assert "seeds" not in words.lower()
    assert "Seed 4" not in words


def test_alignment_stands_beside_the_published(tmp_path, make_results):
    found = {"distance_before_alignment": [5.0, 6.0], "distance_after_alignment": [4.0, 4.25]}
    methods = (("resnet50", "ccl"), ("uni", "ccl"))
    cohorts = gather(make_results(tmp_path, "TCGA-LUAD", methods=methods, found=found))
    rows = make_tables(cohorts)["alignment"].set_index("encoder")
    assert rows["empty_clusters"].tolist() == [0.125] * 2
    assert rows.loc["resnet50", ["distance_before", "distance_after"]].tolist() == [5.5, 4.125]
    assert rows.loc["resnet50", ["published_before", "published_after"]].tolist() == [5.6450, 4.9767]
    assert rows.loc["uni", ["published_before", "published_after"]].isna().all()
    words = words_of(page_of(cohorts))
    assert "ccl with resnet50 TCGA-LUAD 12.5 % 5.50 4.12 5.64 4.98" in words
    assert "ccl with uni TCGA-LUAD 12.5 % 5.50 4.12 – –" in words  # noqa: RUF001 (the page's own sign)


def test_method_without_alignment_shows_its_empty_clusters(tmp_path, make_results):
    cohorts = gather(make_results(tmp_path, "luad"))
    assert make_tables(cohorts)["alignment"][["distance_before", "distance_after"]].isna().all(axis=None)
    assert "ccl with resnet50 luad 12.5 % – –" in words_of(page_of(cohorts))  # noqa: RUF001 (the page's own sign)


@pytest.mark.parametrize(("encoder", "model"), [("none", "snn"), ("resnet50", "attmil")])
def test_method_that_reads_no_clusters_has_none(tmp_path, make_results, encoder, model):
    cohorts = gather(make_results(tmp_path, "luad", methods=((encoder, model),), k=None))
    table = make_tables(cohorts)["alignment"]
    assert table.empty
    assert {"cohort", "empty_clusters", "distance_before"} <= set(table)
    assert "Clusters and their alignment" not in page_of(cohorts)


def test_evaluation_of_an_older_version_is_refused(tmp_path, make_results):
    evaluations = make_results(tmp_path, "a")
    facts = json.loads(evaluations[0].read_text())
    del facts["method"]
    write_json(evaluations[0], facts)
    with pytest.raises(InputError, match=r"(?s)evaluation\.json.*no method.*ccl evaluate"):
        gather(evaluations)


def test_intervals_made_from_all_patients_are_admitted(tmp_path, make_results):
    said = "takes their edges from all patients, test patients included"
    assert said in page_of(gather(make_results(tmp_path / "whole", "a", intervals_from="cohort")))
    assert said not in page_of(gather(make_results(tmp_path / "train", "a")))


def test_genomics_only_cohort_speaks_of_no_slides(tmp_path, make_results):
    page = page_of(gather(make_results(tmp_path, "a", methods=(("none", "snn"),))))
    assert "atches are clustered" not in page
    assert "contact sheet" not in page
    assert "Encoder weights" not in page


def test_two_evaluations_of_one_name_are_refused(tmp_path, make_results):
    evaluations = make_results(tmp_path, "a", methods=(("x.y", "z", "snn"), ("x", "y.z", "snn")))
    with pytest.raises(InputError, match=r"the same name[\s\S]*a\.x\.y\.z"):
        gather(evaluations)
    with pytest.raises(InputError, match="the same name"):
        gather([evaluations[0], evaluations[0]])


def test_newer_manifest_speaks_for_a_slide_and_slides_no_longer_in_the_cohort_are_forgotten(tmp_path, make_results):
    evaluations = make_results(tmp_path, "a", slides={"S1": "", "S2": ""})
    old = tmp_path / "a" / "tile" / "manifests" / "7.tsv"
    gone = [ManifestRow(name, "excluded", old, "", 0, f"tile: {name} was bad") for name in ("S1", "S9")]
    write_manifest(old, gone)
    os.utime(old, (1, 1))
    assert make_tables(gather(evaluations))["excluded_slides"].empty
    os.utime(old)
    assert make_tables(gather(evaluations))["excluded_slides"]["slide_id"].tolist() == ["S1"]


def test_slide_that_only_the_encoder_refused_is_listed(tmp_path, make_results):
    evaluations = make_results(tmp_path, "a", slides={"S1": "", "S2": ""})
    manifest = tmp_path / "a" / "embed" / "resnet50" / "manifest.tsv"
    write_manifest(manifest, [ManifestRow("S2", "excluded", manifest, "", 0, "embed: file is truncated")])
    expected = [{"cohort": "a", "slide_id": "S2", "reason": "embed: file is truncated"}]
    assert make_tables(gather(evaluations))["excluded_slides"].to_dict("records") == expected


def test_patient_left_out_by_several_methods_is_one_line(tmp_path, make_results):
    both = (("resnet50", "ccl"), ("none", "snn"))
    cohorts = gather(make_results(tmp_path, "a", methods=both, left_out={"P99": "no row in the omics tables"}))
    assert len(make_tables(cohorts)["left_out_patients"]) == 2
    page = page_of(cohorts)
    assert page.count("P99") == 1
    assert "<td>ccl, snn</td>" in page


def test_cohort_counts_equal_the_summary(tmp_path, make_results):
    cohorts = gather(make_results(tmp_path, "a"))
    table = make_tables(cohorts)["cohorts"]
    assert table["patients"].tolist() == [36] * 3
    assert (table["test"] + table["train"] == 36).all()
    assert table["test_events"].sum() == table["events"][0] == cohorts[0].summary["events"]


def test_endpoint_and_folds_of_a_cohort_are_described(tmp_path, make_results):
    evaluations = make_results(tmp_path, "a")
    assert "median months" not in page_of(gather(evaluations))
    path = tmp_path / "a" / "cohort" / "summary.json"
    summary = json.loads(path.read_text())
    folds = [{**fold, "test_median_months": 12.34, "test_sites": 5, "shared_sites": 4} for fold in summary["folds"]]
    endpoint = {
        "name": "PFI",
        "event_column": "PFI",
        "time_column": "PFI.time",
        "time_unit": "days",
        "values": {"event": ["1.0"], "censored": ["0.0"]},
        "competing_deaths": 3,
        "records": {"OS time below PFI time": ["P1"]},
    }
    more = {"endpoint": endpoint, "left_out": {"no PFI": ["P7", "P8"]}, "sites": 9, "imbalance": ["Fold 1 is odd."]}
    path.write_text(json.dumps({**summary, **more, "folds": folds}))
    page = page_of(gather(evaluations))
    for words in (
        "Where results say death, they mean an event of PFI.",
        "Competing deaths are treated as censored: 3 deaths without an event of PFI.",
        "1 record to check (OS time below PFI time): P1.",
        "2 patients left out (no PFI): P7, P8.",
        "On both sides of a fold are 4 of 9 hospitals.",
        "Fold 1 is odd.",
        '<td class="number">12.3</td><td class="number">5</td><td class="number">4</td>',
    ):
        assert words in page


def test_the_versions_of_all_folds_are_named(tmp_path, make_results):
    evaluations = make_results(tmp_path, "a")
    path = tmp_path / "a" / "train" / "resnet50" / "ccl" / "fold1" / "run.json"
    path.write_text(path.read_text().replace("2.14.0", "2.13.1"))
    assert "torch 2.14.0, 2.13.1" in page_of(gather(evaluations))


def test_null_numbers_are_dashes_not_words(tmp_path, make_results):
    cohorts = gather(make_results(tmp_path, "a", censored_fold=1))
    page = page_of(cohorts)
    assert "None" not in page.replace("None.", "")
    assert "nan" not in page.lower().split()
    assert pd.isna(make_tables(cohorts)["c_index_folds"].query("fold == 1")["c_index"]).all()


def test_how_sure_a_number_is_stands_beside_it(tmp_path, make_results):
    evaluations = make_results(tmp_path, "blca", n=60, seeds=(0,), interval_edges=[0, 15, 30, 80])
    write_report(out=tmp_path / "out", evaluations=evaluations, config={}, settings=ReportSettings("Page"))
    page = (tmp_path / "out" / "report.html").read_text()
    facts = json.loads(evaluations[0].read_text())["protocols"]["last"]
    interval, uno = facts["pooled_interval"], facts["uno"]["c_index"]
    row = pd.read_csv(tmp_path / "out" / "tables" / "statistics.csv").set_index("protocol").loc["last"]
    assert (row["lower"], row["upper"], row["uno"]) == pytest.approx((interval["lower"], interval["upper"], uno))
    assert row["lower"] < row["pooled"] < row["upper"]
    assert row["integrated_brier"] == pytest.approx(facts["integrated_brier"]["score"])
    shown = f"{facts['pooled']:.3f} [{interval['lower']:.3f}, {interval['upper']:.3f}]"
    assert page.count(shown) == 3  # at the top, in the headline and with the model
    assert f"AUC at {facts['months'][0]['months']:g} months" in page
    assert len(pd.read_csv(tmp_path / "out" / "tables" / "times.csv")) == 2 * len(facts["months"])
    assert (tmp_path / "out" / "figures" / "blca.resnet50.ccl.calibration.svg").is_file()


def test_without_predicted_survival_there_is_no_calibration(tmp_path, make_results):
    evaluations = make_results(tmp_path, "blca", seeds=(0,))
    write_report(out=tmp_path / "out", evaluations=evaluations, config={}, settings=ReportSettings("Page"))
    assert not list((tmp_path / "out" / "figures").glob("*calibration*"))
    assert "Predicted survival in groups" not in (tmp_path / "out" / "report.html").read_text()


def test_inner_stands_beside_the_others_where_patients_were_held_out(tmp_path, make_results):
    methods = (*(("none", f"m{i}", "snn") for i in range(5)), ("none", "snn"))
    evaluations = make_results(tmp_path, "a", methods=methods, inner=0.2, seeds=(0,))[-1:]  # the noisiest
    facts = json.loads(evaluations[0].read_text())["protocols"]
    assert len({facts[name]["mean"] for name in ("last", "inner", "best-on-test")}) == 3
    cohorts = gather(evaluations)
    words = words_of(page_of(cohorts))
    assert "Method a last inner best-on-test snn " in words
    shown = [
        f"{facts[name]['mean']:.3f} ± {facts[name]['std']:.3f} pooled" for name in ("last", "inner", "best-on-test")
    ]
    assert words.index(shown[0]) < words.index(shown[1]) < words.index(shown[2])
    assert "20 % of the training patients of each fold were held out of training" in words
    assert "Fold Patients (deaths) last inner at epoch best-on-test at epoch" in words
    last, inner, best = (facts[name]["folds"][1] for name in ("last", "inner", "best-on-test"))
    numbers = f"{last['c_index']:.3f} {inner['c_index']:.3f} 1 {best['c_index']:.3f} {best['epoch']}"
    assert f"1 12 ({last['n_events']}) {numbers}" in words


def test_without_held_out_patients_nothing_speaks_of_inner(tmp_path, make_results):
    assert ">inner<" not in page_of(gather(make_results(tmp_path, "a", methods=(("none", "snn"),))))


def test_cohort_without_held_out_patients_has_no_number_under_inner(tmp_path, make_results):
    methods = (("none", "snn"),)
    evaluations = make_results(tmp_path, "a", methods=methods, inner=0.2) + make_results(tmp_path, "b", methods=methods)
    (row,) = headline(gather(evaluations))
    known = [[cell["value"] is not None for cell in place] for place in row["places"]]
    assert known == [[True, True, True], [True, False, True], [True, False, True]]


def test_differences_between_models_are_those_of_ccl_compare(tmp_path, make_results):
    evaluations = make_results(tmp_path, "a", methods=(("none", "snn"), ("resnet50", "ccl"), ("uni", "ccl")), n=60)
    found = comparisons(gather(evaluations))
    compare_evaluations(evaluations=[path.parent for path in evaluations], out=tmp_path / "pairs.csv", protocol="last")
    expected = pd.read_csv(tmp_path / "pairs.csv")
    columns = [
        "n_patients",
        "n_events",
        "first_c_index",
        "second_c_index",
        "difference",
        "lower",
        "upper",
        "p",
        "p_holm",
    ]
    pd.testing.assert_frame_equal(found[columns], expected[columns], rtol=1e-8)
    pairs = found[["first_model", "first_encoder", "second_encoder"]].to_numpy().tolist()
    assert pairs == [["snn", "none", "resnet50"], ["snn", "none", "uni"], ["ccl", "resnet50", "uni"]]


def test_many_models_are_compared_with_the_first_alone_and_the_page_says_so(tmp_path, make_results):
    methods = tuple(("none", f"m{i}", "snn") for i in range(6))
    cohorts = gather(make_results(tmp_path, "a", methods=methods, seeds=(0,)))
    found = comparisons(cohorts)
    assert found["first_model"].tolist() == [f"m{i}" for i in range(1, 6)]
    assert set(found["second_model"]) == {"m0"}
    assert "each is compared only with the first of the config, m0 (snn)" in words_of(page_of(cohorts))
    assert "the first of the config" not in words_of(
        page_of(gather(make_results(tmp_path / "b", "b", methods=methods[:2])))
    )


def test_models_are_compared_on_the_patients_that_both_have(tmp_path, make_results):
    evaluations = make_results(tmp_path, "a", methods=(("none", "snn"), ("uni", "ccl"), ("uni", "other", "ccl")), n=60)
    path = evaluations[1].parent / "risks.csv"
    risks = pd.read_csv(path)
    write_table(path, risks[risks["patient_id"] != "a-P07"])
    assert comparisons(gather(evaluations))["n_patients"].tolist() == [59, 60, 59]


def test_one_model_is_compared_with_nothing(tmp_path, make_results):
    cohorts = gather(make_results(tmp_path, "a", methods=(("none", "snn"),)))
    assert comparisons(cohorts).empty
    assert "Differences between models" not in page_of(cohorts)


def test_tables_of_a_paper_are_latex_too(tmp_path, make_results):
    found = {"distance_before_alignment": [5.0], "distance_after_alignment": [4.0]}
    methods = (("my_net", "ccl"), ("none", "snn"))
    made = {"synthetic": True, "weights": "random", "seeds": (0,), "found": found, "inner": 0.2}
    cohorts = gather(make_results(tmp_path, "a_b", methods=methods, **made))
    tables = make_tables(cohorts)
    written = latex_tables(tables, evaluations_of(cohorts))
    assert set(written) == {"c_index", "kaplan_meier", "t_test", "statistics", "alignment", "comparisons"}
    for name, text in written.items():
        body = text.split(r"\midrule")[1].split(r"\bottomrule")[0]
        assert body.count(r"\\") == len(tables[name])
        assert r"Careful: the patients of a\_b are synthetic, and the weights of my\_net are random." in text
        assert not re.search(r"nan|None", text)
    row = tables["c_index"].iloc[0]
    assert f"{row['c_index']:.3f} ± {row['std']:.3f} & {row['pooled']:.3f} " in written["c_index"]
    assert written["c_index"].count("inner") == 3  # a row of each model, and what the caption says of it
    pair = tables["comparisons"].iloc[0]
    assert r"ccl with my\_net & snn & 36 & " in written["comparisons"]
    assert f"{pair['difference']:+.3f} " in written["comparisons"]
    assert "snn & – & last" in written["statistics"]  # noqa: RUF001 (a dash for no features)


def write_characteristics(results, cohort, **said):
    """Write what the clinical stage writes beside its covariates."""
    folder = results / cohort / "clinical"
    folder.mkdir()
    rows = ["covariate,value,all,dead,fold0", "patients,n,36,20,12", "stage,None,20 (56 %),9 (45 %),6 (50 %)"]
    (folder / "characteristics.csv").write_text("\n".join([*rows, "stage,<II>,16 (44 %),11 (55 %),6 (50 %)", ""]))
    table = [{"file": "stages.csv", "sha256": "ab" * 32}]
    (folder / "covariates.json").write_text(json.dumps({"inputs": {"table": table}, "warnings": ["20 deaths"], **said}))
    return folder / "characteristics.csv"


def test_characteristics_of_patients_are_shown_and_are_tables_of_a_paper(tmp_path, make_results):
    methods = (("none", "snn"),)
    evaluations = make_results(tmp_path, "a_b", methods=methods, synthetic=True) + make_results(
        tmp_path, "other", methods=methods
    )
    path, out = write_characteristics(tmp_path, "a_b"), tmp_path / "report"
    settings = ReportSettings("Page")
    write_report(out=out, evaluations=evaluations, config={}, settings=settings, characteristics=[path])
    page = " ".join((out / "report.html").read_text().split())
    assert page.count("<h3>Characteristics</h3>") == 1
    assert '<table class="wide" data-fixed> <thead><tr><th scope="col">Covariate</th>' in page  # rows span: no sorting
    assert '<th scope="col" class="number">Dead</th><th scope="col" class="number">Fold 0</th>' in page
    assert '<th scope="rowgroup" rowspan="2">stage</th><td>None</td><td class="number">20 (56 %)</td>' in page
    assert "<td>&lt;II&gt;</td>" in page
    assert "<li>20 deaths</li>" in page
    assert "stages.csv" in page
    assert (out / "tables" / "characteristics.a_b.csv").read_text() == path.read_text()
    latex = (out / "tables" / "characteristics.a_b.tex").read_text()
    assert r"Covariate & Value & All & Dead & Fold 0 \\" in latex
    assert r"stage & None & 20 (56 \%) & 9 (45 \%) & 6 (50 \%) \\" in latex
    assert r" & $<$II$>$ & 16 (44 \%)" in latex
    assert "Patients of a\\_b" in latex
    assert "Careful: these patients are synthetic." in latex
    write_report(out=out, evaluations=evaluations, config={}, settings=settings)
    assert "Characteristics" not in (out / "report.html").read_text()
    assert not list((out / "tables").glob("characteristics*"))


def test_real_data_need_no_care(tmp_path, make_results):
    cohorts = gather(make_results(tmp_path, "a", methods=(("none", "snn"),), censored_fold=1))
    written = latex_tables(make_tables(cohorts), evaluations_of(cohorts))
    assert set(written) == {"c_index", "kaplan_meier", "t_test", "statistics"}
    assert not any("Careful" in text or "inner" in text for text in written.values())


def test_inputs_are_named_with_their_digests(tmp_path, make_results):
    evaluations = make_results(tmp_path, "a", slides={"S1": "", "S2": ""})
    manifest = tmp_path / "a" / "embed" / "resnet50" / "manifest.tsv"
    inputs = {"rna": [{"file": "rna.csv", "sha256": "ab" * 32}]}
    Genomics((), (), inputs).write(tmp_path / "a" / "genomics" / "genomics.h5")

    def digests(key):
        write_manifest(
            manifest, [ManifestRow(name, "ok", tmp_path / f"{name}.h5", key, 5, "") for name in ("S1", "S2")]
        )
        cohorts = gather(evaluations)
        assert "ab" * 32 in page_of(cohorts)
        return make_tables(cohorts)["inputs"].set_index("what")

    first, again, other = digests("k"), digests("k"), digests("l")
    assert first["file"].to_dict() == {"patients": "a.csv", "rna": "rna.csv", "features of resnet50": "2 slides"}
    assert first.loc[["patients", "rna"], "sha256"].tolist() == ["5e" * 32, "ab" * 32]
    assert first.equals(again)
    assert first["sha256"].ne(other["sha256"]).tolist() == [False, False, True]


def test_genes_of_each_family_are_shown_with_their_warnings(tmp_path, make_results):
    evaluations = make_results(tmp_path, "a", methods=(("none", "snn"),))
    assert "<h3>Genes</h3>" not in page_of(gather(evaluations))
    rna = tmp_path / "rna.csv"
    rna.write_text("patient_id,TP53,KRAS,OTHER,1-Mar\nP1,1,2,3,4\n")
    gmt = tmp_path / "families.gmt"
    gmt.write_text("ONE\t\tTP53\tKRAS\tMYC\nTWO\t\tEGFR\n")
    settings = GenomicsSettings(patient_column="patient_id", low_coverage="exclude")
    group_genomics(tmp_path / "a" / "genomics" / "genomics.h5", settings=settings, tables={"rna": rna}, gmt=[gmt])
    page = page_of(gather(evaluations))
    assert "1 of 2 gene families are used." in page
    assert "2 of 3 genes are in the omics tables" in page
    assert "rna.csv (rna): 2 of 4 columns used" in page
    assert (
        '<th scope="row">ONE</th><td class="number">3</td><td class="number">2</td><td class="number">66.7 %</td>'
        in page
    )
    assert '<th scope="row">TWO (left out)</th>' in page
    assert "Careful: 1 of 2 gene families are left out, as too few of their genes are in the omics tables: TWO" in page
    assert "1-Mar (perhaps MARCHF1, earlier MARCH1" in page


def test_page_links_to_the_contact_sheet_of_a_cohort_whose_slides_were_cut(tmp_path, make_results):
    with_slides = make_results(tmp_path / "1", "a", slides={"S1": ""})
    link = '<a href="../1/a/quality/contact_sheet.html">contact sheet of a</a>'
    assert link in page_of(gather(with_slides), folder=tmp_path / "report")
    without = make_results(tmp_path / "2", "a", methods=(("none", "snn"),))
    assert "contact_sheet" not in page_of(gather(without))
