"""Single patients in the report: what is shown, linked and refused."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from urllib.parse import unquote

import cv2
import numpy as np
import pandas as pd
import pytest

from ccl.config.sections import ReportSettings
from ccl.io.errors import InputError
from ccl.pages.style import house_style, panel, save
from ccl.report.patients import MAP_BYTES, MAPS, compress, read_explained
from ccl.report.stage import write_report

HOSTILE = "<img src=x onerror=alert(1)>&\"'#?"


class Page(HTMLParser):
    """Tags and words of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.heard = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.heard.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def words(self):
        return " ".join(" ".join(self.heard).split())


def write_patient(folder, patient, rank, *, slides=("A",), notes=(), **more):
    """Write the files of the explain stage for one patient."""
    own = folder / patient
    told = {name: f"words on {name}" for name in ("survival", "ways", "families", "genes", "clusters")}
    told |= {f"map.{slide}": f"words on {slide}" for slide in slides}
    facts = {
        "patient": patient,
        "cohort": "toy",
        "encoder": "resnet50",
        "model": "mine",
        "method": "ccl",
        "fold": 1,
        "seeds": [0],
        "weights": "random",
        "synthetic": True,
        "months": 12.34,
        "censorship": 0,
        "risk": -1.25,
        "rank": rank,
        "n_patients": 9,
        "reference_risk": -1.5,
        "unexplained": 0.0,
        "slides": {slide: {"notes": list(notes)} for slide in slides},
        "figures": told,
    }
    own.mkdir(parents=True)
    (own / "explanation.json").write_text(json.dumps(facts | more))
    (own / "explanation.html").write_text("<p>all of it</p>")
    pd.DataFrame({"months": [0.0, 60.0], "survival": [1.0, 0.37]}).to_csv(own / "survival.csv", index=False)
    with house_style():
        for name in told:
            figure = panel(2, 2)
            figure.subplots().plot([0, 1], label=name)
            save(figure, own / "figures", name)
    return own


@pytest.fixture(scope="module")
def results(tmp_path_factory, make_results):
    """A report with two patients of one model; the one with lower risk has a name that needs escaping."""
    root = tmp_path_factory.mktemp("with patients")
    evaluations = make_results(root, "toy", synthetic=True, weights="random")
    folder = root / "results" / "toy" / "explain" / "resnet50" / "mine"
    many = tuple(f"S{number}" for number in range(MAPS + 2))
    write_patient(folder, "Zoe", 1, slides=many, notes=("the slide file is missing",))
    write_patient(folder, HOSTILE, 9, censorship=1)
    settings = ReportSettings("Title")
    out = root / "results" / "report"
    write_report(out=out, evaluations=evaluations, explained=[folder], config={}, settings=settings)
    return root


@pytest.fixture(scope="module")
def page(results):
    return Page((results / "results" / "report" / "report.html").read_text())


def test_each_patient_is_told_by_risk_rank_and_fate(page):
    first = "Zoe: risk −1.250, rank 1 of 9, died at 12.3 months"  # noqa: RUF001
    last = f"{HOSTILE}: risk −1.250, rank 9 of 9, last seen alive at 12.3 months"  # noqa: RUF001
    assert page.words.index(first) < page.words.index(last)
    assert "Predicted survival at 60.0 months: 37 %" in page.words
    assert "toy: mine (ccl) with resnet50 synthetic data random encoder weights" in page.words
    assert "1 seed, so the differences between seeds are unknown" in page.words
    assert "The slide file is missing." in page.words
    assert "The patient’s folder has 2 more slides" in page.words  # noqa: RUF001


def test_patients_unfold_and_the_first_is_open(page):
    patients = [attributes for attributes in page.all("details") if attributes.get("class") == "patient"]
    assert ["open" in attributes for attributes in patients] == [True, False]
    assert len(page.all("summary")) >= 2


def test_figures_say_what_they_show_and_share_no_identifier(page):
    said = [attributes.get("aria-label") for attributes in page.all("svg")]
    for name in ("survival", "ways", "families", "genes"):
        assert said.count(f"words on {name}") == 2
    assert "words on clusters" not in said
    assert [a["alt"] for a in page.all("img")] == ["words on S0", "words on S1", "words on S2", "words on A"]
    assert all(a["src"].startswith("data:image/webp;base64,") for a in page.all("img"))
    identifiers = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert "#patients" in [attributes.get("href") for attributes in page.all("a")]


def test_each_patient_s_own_page_is_linked_from_the_report(results, page):
    links = [a["href"] for a in page.all("a") if a["href"].endswith("explanation.html")]
    assert len(links) == 2
    for link in links:
        assert not re.search(r"[<>\"'?#]", link)
        assert (results / "results" / "report" / unquote(link)).read_text() == "<p>all of it</p>"


def test_a_hostile_name_is_no_element(page):
    assert not any("onerror" in attributes for attributes in page.all("img"))


def test_without_explained_patients_there_is_no_section(tmp_path, make_results):
    evaluations = make_results(tmp_path, "toy")
    write_report(out=tmp_path / "report", evaluations=evaluations, config={}, settings=ReportSettings("Title"))
    assert "Single patients" not in (tmp_path / "report" / "report.html").read_text()


def test_a_large_map_is_compressed_until_it_fits():
    noise = np.random.default_rng(0).integers(0, 256, (900, 1200, 3), dtype=np.uint8)
    picture = compress(noise)
    data = base64.b64decode(picture.source.split(",")[1])
    shown = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert len(data) <= MAP_BYTES
    assert shown.shape == (picture.height, picture.width, 3)
    assert picture.width / picture.height == pytest.approx(4 / 3, abs=0.01)


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("figures/ways.svg", None, "no such file"),
        ("figures/ways.svg", "not drawn", "not a figure"),
        ("figures/ways.svg", b"<svg viewBox='\xc4'>", "not a figure"),
        ("figures/map.A.png", None, "no such file"),
        ("figures/map.A.png", "not drawn", "not a picture"),
        ("explanation.json", "{}", "no patient, cohort"),
        ("explanation.json", "{}", "risk, rank, n_patients, months, censorship"),
        ("survival.csv", None, "survival.csv"),
    ],
)
def test_what_is_missing_or_damaged_is_named(tmp_path, name, content, found):
    path = write_patient(tmp_path / "mine", "P", 1) / name
    path.unlink()
    if content:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError) as error:
        read_explained([tmp_path / "mine"], out=tmp_path)
    assert str(path) in str(error.value)
    assert found in str(error.value)


def test_a_folder_without_patients_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"there is no explained patient[\s\S]*no such folder[\s\S]*snakemake explain"):
        read_explained([tmp_path / "nowhere"], out=tmp_path)
