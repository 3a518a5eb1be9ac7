"""The report as a reader gets it: one page that needs nothing else, its tables and its figures."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

import cv2
import numpy as np
import pandas as pd
import pytest
import yaml

from ccl.config.sections import ReportSettings
from ccl.io.errors import InputError
from ccl.io.files import write_json
from ccl.io.formats import Features, ManifestRow, write_manifest
from ccl.report import figures
from ccl.report.stage import write_report
from ccl.results.gather import evaluations_of, gather

HOSTILE_SLIDE = "=HYPERLINK(1)<img src=x onerror=alert(1)>&\"'"
HOSTILE_PATIENT = '"><script src="//evil.example/x.js"></script>'
HOSTILE_REASON = "tile: </td><script>alert(2)</script>"
# One process makes the two reports that these tests look at.
pytestmark = pytest.mark.xdist_group("report")

VOID = {"meta", "img", "br", "link", "input", "hr", "path", "use", "rect"}


class Page(HTMLParser):
    """The elements, identifiers and references of a page; refuses tags that do not match."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.text = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID or "svg" in self.open:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "svg", "script"} & set(self.open):
            self.text.append(data)

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())

    def all(self, name):
        return [attrs for tag, attrs in self.tags if tag == name]


@pytest.fixture(scope="module")
def demo(tmp_path_factory, make_results):
    """A synthetic cohort with random weights, hostile names, things left out, and a fold without deaths."""
    root = tmp_path_factory.mktemp("demo")
    evaluations = make_results(
        root / "results",
        "demo",
        synthetic=True,
        weights="random",
        slides={"S1": "", HOSTILE_SLIDE: HOSTILE_REASON, "S2": "", "S3": "", "S4": ""},
        left_out={HOSTILE_PATIENT: "no row in the omics tables"},
        censored_fold=2,
    )
    write_report(
        out=root / "report",
        evaluations=evaluations,
        config={"cohorts": {"demo": {"patients": "</pre><script>alert(3)</script>"}}, "shards": 2},
        settings=ReportSettings("Demo </title><script>alert(4)</script>"),
    )
    return root


@pytest.fixture(scope="module")
def real(tmp_path_factory, make_results):
    """One of the publication's cohorts, with a method of each kind, and nothing left out."""
    root = tmp_path_factory.mktemp("real")
    evaluations = make_results(root / "results", "TCGA_BLCA", methods=(("resnet50", "ccl"), ("none", "snn")))
    write_report(out=root / "report", evaluations=evaluations, config={}, settings=ReportSettings("Real"))
    return root


@pytest.fixture(scope="module")
def demo_page(demo):
    return Page((demo / "report" / "report.html").read_text())


@pytest.fixture(scope="module")
def real_page(real):
    return Page((real / "report" / "report.html").read_text())


def evaluation(root, cohort, encoder, model):
    return json.loads((root / "results" / cohort / "evaluate" / encoder / model / "evaluation.json").read_text())


@pytest.mark.parametrize("name", ["demo", "real"])
def test_page_loads_nothing_from_anywhere(name, request, without_script):
    text = without_script((request.getfixturevalue(name) / "report" / "report.html").read_text())
    page = Page(text)
    forbidden = {"script", "link", "iframe", "object", "embed", "base", "image", "form", "foreignobject"}
    assert not forbidden & {tag for tag, _ in page.tags}
    for tag, attributes in page.tags:
        for key, value in attributes.items():
            assert not key.startswith("on"), (tag, key)
            if key.split(":")[-1] in {"src", "href", "srcset", "poster", "data", "action", "background"}:
                sheet = f"../results/{name}/quality/contact_sheet.html"  # a link to follow, not to load
                assert value.startswith("#") or (tag, value) == ("a", sheet), (tag, key)
            assert not re.search(r"url\((?!#)", value or ""), (tag, key)
    styles = "".join(re.findall(r"<style>(.*?)</style>", text, flags=re.DOTALL))
    assert "@import" not in styles
    assert "url(" not in styles
    assert not re.search(r"https?://", text)
    policy = next(a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")


@pytest.mark.parametrize("name", ["demo_page", "real_page"])
def test_page_is_well_formed_and_can_be_read_aloud(name, request):
    page = request.getfixturevalue(name)
    assert len(page.all("style")) == 1  # matplotlib's own would style the whole page
    identifiers = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    links = [a.get("href", a.get("xlink:href", "")) for _, a in page.tags if {"href", "xlink:href"} & set(a)]
    assert {link[1:] for link in links if link.startswith("#")} <= set(identifiers)
    for _, attributes in page.tags:
        for value in attributes.values():
            assert set(re.findall(r"url\(#([^)]+)\)", value or "")) <= set(identifiers)
    drawings = page.all("svg")
    assert drawings
    assert all(attributes["role"] == "img" and attributes["aria-label"] for attributes in drawings)
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_synthetic_data_and_random_weights_are_announced_wherever_numbers_stand(demo, demo_page):
    assert "Synthetic data: these numbers say nothing about real tumours." in demo_page.words
    words = "Random encoder weights: these numbers say nothing about what can be read from real tumours."
    assert words in demo_page.words
    for path in (demo / "report" / "figures").glob("*.svg"):
        text = path.read_text()
        assert "synthetic data" in text, path.name
        assert "random encoder weights" in text, path.name
    table = pd.read_csv(demo / "report" / "tables" / "c_index.csv")
    assert set(table["data"]) == {"synthetic"}
    assert set(table["weights"]) == {"random"}


def test_real_data_carry_no_such_label(real, real_page):
    text = (real / "report" / "report.html").read_text()
    assert "banner" not in {attributes.get("class") for _, attributes in real_page.tags}
    assert "say nothing" not in text
    assert "synthetic" not in text.lower()
    assert "random encoder weights" not in text


def test_text_from_data_is_escaped(demo, demo_page):
    assert HOSTILE_SLIDE in demo_page.words
    assert HOSTILE_PATIENT in demo_page.words
    assert HOSTILE_REASON in demo_page.words
    assert "</pre><script>alert(3)</script>" in demo_page.words
    assert demo_page.all("script") == [{}]
    assert demo_page.all("img") == []


def test_what_was_left_out_is_named_or_said_to_be_none(demo, demo_page, real_page):
    excluded = pd.read_csv(demo / "report" / "tables" / "excluded_slides.csv")
    assert excluded.to_numpy().tolist() == [["demo", f"'{HOSTILE_SLIDE}", HOSTILE_REASON]]  # no formula
    patients = pd.read_csv(demo / "report" / "tables" / "left_out_patients.csv")
    assert patients[["patient_id", "reason"]].to_numpy().tolist() == [[HOSTILE_PATIENT, "no row in the omics tables"]]
    assert "Excluded slides None. Patients left out None." in real_page.words


def test_fold_without_a_c_index_is_named(demo_page, real_page):
    assert "Fold 2 of demo (ccl) has no C-index and is not in the mean" in demo_page.words
    assert "has no C-index" not in real_page.words


@pytest.mark.parametrize("name", ["demo", "real"])
def test_tables_equal_the_evaluations(name, request):
    root = request.getfixturevalue(name)
    tables = {path.stem: pd.read_csv(path) for path in (root / "report" / "tables").glob("*.csv")}
    assert len(tables["c_index"]) == 2 * len(list((root / "results").rglob("evaluation.json")))
    for row in tables["c_index"].to_dict("records"):
        found = evaluation(root, row["cohort"], row["encoder"], row["model"])["protocols"][row["protocol"]]
        assert (row["c_index"], row["std"], row["pooled"]) == pytest.approx(
            (found["mean"], found["std"], found["pooled"]), abs=1e-8
        )
        for table, listed in (
            ("c_index_folds", found["folds"]),
            ("kaplan_meier", [found["kaplan_meier"]]),
            ("t_test", [found["t_test"]]),
        ):
            keys = ["cohort", "encoder", "model", "method", "protocol"]
            mine = tables[table].merge(pd.DataFrame([{key: row[key] for key in keys}])).drop(columns=keys)
            pd.testing.assert_frame_equal(mine, pd.DataFrame(listed)[list(mine)], check_dtype=False, rtol=1e-8)


def test_page_shows_the_evaluations_numbers(real, real_page):
    for encoder, model in (("resnet50", "ccl"), ("none", "snn")):
        found = evaluation(real, "TCGA_BLCA", encoder, model)
        for protocol in found["protocols"].values():
            assert f"{protocol['mean']:.3f} ± {protocol['std']:.3f}" in real_page.words
            assert f"{protocol['pooled']:.3f}" in real_page.words


def test_published_numbers_stand_beside_real_ones_only(real, real_page, demo, demo_page):
    assert "CCL (Ours), published, best-on-test 0.686 ± 0.025" in real_page.words
    assert "SNN, published, best-on-test 0.634 ± 0.051" in real_page.words
    table = pd.read_csv(real / "report" / "tables" / "published.csv")
    assert table["published_c_index"].tolist() == [0.6862, 0.6339]
    assert set(table["protocol"]) == {"best-on-test"}
    assert "published" not in demo_page.words.lower().replace("publications", "")
    assert not (demo / "report" / "tables" / "published.csv").exists()


def test_every_figure_is_there_twice_and_is_what_it_should_be(real):
    folder = real / "report" / "figures"
    kinds = ["kaplan_meier", "kaplan_meier.best-on-test", "t_test", "t_test.best-on-test", "learning_curve"]
    names = {f"TCGA_BLCA.{method}.{kind}" for method in ("resnet50.ccl", "none.snn") for kind in kinds} | {"c_index"}
    assert {path.name for path in folder.iterdir()} == {
        f"{name}.{suffix}" for name in names for suffix in ("svg", "png")
    }
    for name in names:
        ElementTree.parse(folder / f"{name}.svg")
        picture = cv2.imread(str(folder / f"{name}.png"))
        assert picture.shape[1] >= 1400
        assert (picture[0, 0] == 255).all()
        assert np.ptp(picture) > 100


def words_of(path):
    return [element.text for element in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")]


def test_kaplan_meier_figure_tells_p_and_numbers_at_risk(real):
    words = words_of(real / "report" / "figures" / "TCGA_BLCA.none.snn.kaplan_meier.svg")
    found = evaluation(real, "TCGA_BLCA", "none", "snn")["protocols"]["last"]["kaplan_meier"]
    assert f"log-rank p = {found['log_rank_p']:.1e}".replace("e-0", "e-") in words
    risks = pd.read_csv(real / "results/TCGA_BLCA/evaluate/none/snn/risks.csv").query("protocol == 'last'")
    low = risks[risks["group"] == "low"]["months"]
    ticks = [float(word) for word in words[: words.index("Months")] if re.fullmatch(r"\d+", word)]
    expected = [str((low >= tick).sum()) for tick in ticks if tick <= risks["months"].max()]
    start = words.index("Low") + 1
    assert words[start : start + len(expected)] == expected


def test_best_on_test_figures_say_so(real):
    for path in (real / "report" / "figures").glob("*.best-on-test.svg"):
        assert any("best-on-test epoch (optimistic)" in word for word in words_of(path))


def test_c_index_figure_shows_and_names_every_fold_seed_and_seed_mean(tmp_path, make_results):
    cohorts = gather(make_results(tmp_path, "a", methods=(("none", "genes", "snn"),), seeds=(0, 1, 2)))
    figure = figures.draw_c_index(evaluations_of(cohorts))
    told = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {"one fold, one seed", "one seed, mean over its folds"} <= set(told)
    found = cohorts[0].evaluations[0].facts["protocols"]["last"]
    points, ticks = (drawn.get_offsets()[:, 0] for drawn in figure.axes[0].collections[:2])
    assert sorted(points) == pytest.approx(sorted(row["c_index"] for row in found["folds"]))
    assert list(ticks) == pytest.approx([row["mean"] for row in found["seeds"]])
    assert any("a · genes (snn)" in label.get_text() for label in figure.axes[0].get_yticklabels())


def test_c_index_figure_of_one_seed_speaks_of_folds_alone(tmp_path, make_results):
    cohorts = gather(make_results(tmp_path, "a", methods=(("none", "snn"),), seeds=(0,)))
    told = [text.get_text() for text in figures.draw_c_index(evaluations_of(cohorts)).legends[0].get_texts()]
    assert "one fold" in told
    assert not any("seed" in words for words in told)


def test_learning_curve_has_a_thin_line_for_each_seed(tmp_path, make_results):
    cohorts = gather(make_results(tmp_path, "a", methods=(("none", "snn"),), seeds=(0, 1)))
    one = cohorts[0].evaluations[0]
    lines = figures.draw_learning_curve(one).axes[0].get_lines()
    drawn = {tuple(np.round(line.get_ydata(), 6)): line.get_linewidth() for line in lines}
    columns = one.history.groupby(["seed", "epoch"])["c_index_test"].mean().round(6).unstack()
    for curve in columns.to_numpy():
        assert drawn[tuple(curve)] < 1
    assert drawn[tuple(np.round(columns.mean(), 6))] > 1.5


def test_calibration_shows_every_time(tmp_path, make_results):
    cohorts = gather(make_results(tmp_path, "a", methods=(("none", "snn"),), n=60, interval_edges=[0, 15, 30, 80]))
    (one,) = evaluations_of(cohorts)
    last = one.calibration[one.calibration["protocol"] == "last"].dropna(subset=["observed"])
    times = [last[last["months"] == last["months"].iloc[0]].assign(months=months) for months in range(6, 48, 6)]
    figure = figures.draw_calibration(replace(one, calibration=pd.concat(times)))
    told = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert told == [f"{months} months" for months in range(6, 48, 6)]
    looks = {(line[0].get_color(), line[0].get_marker()) for line in figure.axes[0].containers}
    assert len(looks) == len(told) == 7


def test_calibration_names_the_times_that_it_cannot_show(tmp_path, make_results):
    cohorts = gather(make_results(tmp_path, "a", methods=(("none", "snn"),), n=60, interval_edges=[0, 15, 30, 80]))
    (one,) = evaluations_of(cohorts)
    asked = [entry["months"] for entry in one.facts["protocols"]["last"]["months"]]
    assert len(asked) > 1
    figure = figures.draw_calibration(replace(one, calibration=one.calibration.assign(months=asked[0])))
    (note,) = (text.get_text() for text in figure.axes[0].texts)
    assert f"not drawn, as survival is not predicted that far: {', '.join(f'{x:g}' for x in asked[1:])} months" in note


def test_config_is_shown_as_yaml(demo):
    text = (demo / "report" / "report.html").read_text()
    shown = re.search(r"<pre>(.*?)</pre>", text, flags=re.DOTALL)[1]
    assert yaml.safe_load(shown.replace("&lt;", "<").replace("&gt;", ">"))["shards"] == 2


def test_report_of_the_same_results_has_the_same_tables_and_figures_and_no_leftovers(tmp_path, make_results):
    evaluations = make_results(tmp_path / "results", "c", methods=(("none", "snn"),))
    out = tmp_path / "report"
    for name in ("figures/old.none.snn.t_test.svg", "figures/old.png", "tables/old.csv"):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("from an earlier report")

    def made():
        write_report(out=out, evaluations=evaluations, config={}, settings=ReportSettings("Twice"))
        return {path.name: path.read_bytes() for folder in ("tables", "figures") for path in (out / folder).iterdir()}

    first = made()
    assert not any(name.startswith("old") for name in first)
    assert made() == first


def test_nothing_to_report_is_refused(tmp_path):
    with pytest.raises(InputError, match="nothing to report"):
        write_report(out=tmp_path / "report", evaluations=[], config={}, settings=ReportSettings("None"))


@pytest.mark.parametrize("entry", ["cohort", "encoder", "model"])
def test_a_name_that_is_a_path_is_refused(tmp_path, make_results, entry):
    (path,) = make_results(tmp_path / "results", "c", methods=(("none", "snn"),))
    write_json(path, json.loads(path.read_text()) | {entry: "../../X"}, checksum=True)
    with pytest.raises(InputError, match=rf"not a usable name \({entry}\)"):
        write_report(out=tmp_path / "report", evaluations=[path], config={}, settings=ReportSettings("No"))
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize(
    "name", ["cohort/summary.json", "train/none/snn/fold1/history.csv", "evaluate/none/snn/curves.csv"]
)
def test_missing_file_is_named(tmp_path, make_results, name):
    evaluations = make_results(tmp_path / "results", "c", methods=(("none", "snn"),))
    (tmp_path / "results" / "c" / name).unlink()
    with pytest.raises(InputError, match=re.escape(name)):
        write_report(out=tmp_path / "report", evaluations=evaluations, config={}, settings=ReportSettings("No"))
    assert not (tmp_path / "report").exists()


def test_other_patches_than_the_published_ones_are_labelled(tmp_path, make_results):
    evaluations = make_results(tmp_path, "mine", methods=[("near", "ccl")])
    path = tmp_path / "mine" / "embed" / "near" / "S.h5"

    def embed(patch_size):
        about = {"patch_size": patch_size, "patch_size_level0": patch_size, "target_magnification": 20.0}
        Features(np.ones((2, 4), np.float32), np.zeros((2, 2), np.int64), "conch", "hub", about).write(path, "key")
        write_manifest(path.with_name("manifest.tsv"), [ManifestRow("S", "ok", path, "key", 2, "")])

    embed(512)
    (published,) = evaluations_of(gather(evaluations))
    assert (published.patches, published.caveats) == ("", [])
    embed(256)
    write_report(out=tmp_path / "report", evaluations=evaluations, config={}, settings=ReportSettings("Mine"))
    page = (tmp_path / "report" / "report.html").read_text()
    said = "patches of 256 px at 0.5 um/px (published: 512 px at 0.5 um/px)"
    assert f"on mine: {said}" in page
    assert "other patches than published" in page
    assert set(pd.read_csv(tmp_path / "report" / "tables" / "c_index.csv")["patches"]) == {said}
    assert "Lu et al., Nat. Med. 2024" in page, "the encoder of the files is cited, whatever its name in the config"


def test_a_slide_that_only_some_encoders_can_use_is_named_with_them(tmp_path, make_results):
    slides = {"S1": "", "S2": "tile: no patch with enough tissue"}
    evaluations = make_results(tmp_path, "mine", methods=[("near", "ccl"), ("far", "ccl")], slides=slides)
    for encoder, reasons in {"near": {"S1": "", "S2": ""}, "far": {"S1": "", "S2": "tile: no patch"}}.items():
        rows = [ManifestRow(n, "excluded" if r else "ok", tmp_path / n, "", 0, r) for n, r in reasons.items()]
        write_manifest(tmp_path / "mine" / "embed" / encoder / "manifest.tsv", rows)
    (cohort,) = gather(evaluations)
    assert cohort.excluded == {"S2": "tile: no patch (for far)"}
    (cohort,) = gather(evaluations[:1])
    assert cohort.excluded == {}
