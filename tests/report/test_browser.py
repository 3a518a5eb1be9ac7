"""The report in a browser: quiet, sortable, and to be read on a phone, by keyboard, in the dark and on paper."""

from __future__ import annotations

import re
import subprocess

import pytest

from ccl.config.sections import ReportSettings
from ccl.report.stage import write_report

# One process makes the report that these tests look at.
pytestmark = pytest.mark.xdist_group("browser")

ROOM = {"desktop": 1280, "phone": 390}


@pytest.fixture(scope="module")
def report(tmp_path_factory, make_results):
    """Two cohorts, one without two of the models, with published numbers, exclusions and slides."""
    root = tmp_path_factory.mktemp("browser")
    slides = {f"S{i}": "tile: no tissue" if i in {3, 10} else "" for i in range(11)}
    methods = (("none", "snn"), ("resnet50", "ccl"), ("uni", "ccl"))
    evaluations = make_results(
        root, "TCGA_BLCA", methods=methods, slides=slides, left_out={"P99": "no row"}, inner=0.2, n=60
    )
    evaluations += make_results(root, "mine", methods=methods[:1], synthetic=True, censored_fold=1, seeds=(0,))
    config = {"results": "a long line " * 20}
    write_report(
        out=root / "report", evaluations=evaluations, config=config, settings=ReportSettings("The report at hand")
    )
    return root / "report" / "report.html"


def column(table, number):
    """Return the text of a column's cells, the row heads counting as cells, of the table's body."""
    return [row.locator("th, td").nth(number).inner_text() for row in table.locator("tbody tr").all()]


def test_page_asks_for_nothing_and_complains_of_nothing(report, browser):
    page = browser.new_page()
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(report.as_uri())
    page.get_by_role("button").first.click()
    page.close()
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]
    assert said == []


def test_policy_runs_no_other_script(report, browser, tmp_path):
    path = tmp_path / "changed.html"
    path.write_text(report.read_text().replace("</body>", "<script>document.title = 'changed'</script></body>"))
    page = browser.new_page()
    page.goto(path.as_uri())
    assert page.title() == "The report at hand"
    page.close()


def test_headline_sorts_by_number_up_down_and_back(report, open_page):
    table = open_page(report).locator("#c-index table")
    before = column(table, 0)
    head = table.locator("thead tr").nth(1).locator("th").first
    orders = {}
    for state in ("ascending", "descending", "none"):
        head.get_by_role("button").click()
        assert head.get_attribute("aria-sort") == state
        orders[state] = [
            (name.split("\n")[0], text) for name, text in zip(column(table, 0), column(table, 1), strict=True)
        ]
    means = {
        state: [float(text.split()[0]) for _, text in rows if re.match(r"\d", text)] for state, rows in orders.items()
    }
    assert means["ascending"] == sorted(means["none"])
    assert means["descending"] == sorted(means["none"], reverse=True)
    assert len(set(means["none"])) == 3
    assert column(table, 0) == before


def test_published_numbers_stay_below_their_method_and_missing_ones_come_last(report, open_page):
    table = open_page(report).locator("#c-index table")
    head = table.locator("thead tr").nth(1).locator("th").nth(3)  # last, of the cohort that lacks two models
    for _ in range(2):
        head.get_by_role("button").click()
        assert column(table, 4)[0] not in {"", "–"}  # noqa: RUF001 (the page's own sign)
        assert [text for text in column(table, 4) if text] == [column(table, 4)[0], "–", "–"]  # noqa: RUF001
        names = [name.split("\n")[0] for name in column(table, 0)]
        for row, name in enumerate(names):
            if "published" in name:
                assert names[row - 1] == {"SNN": "snn", "CCL (Ours)": "ccl"}[name.split(",")[0]]


def test_table_sorts_by_keyboard_and_names_by_the_number_in_them(report, open_page):
    page = open_page(report)
    table = page.locator("#left-out table").first
    slide = table.locator("thead th").nth(1)
    slide.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert (slide.get_attribute("aria-sort"), column(table, 1)) == ("ascending", ["S3", "S10"])
    page.keyboard.press("Space")
    assert (slide.get_attribute("aria-sort"), column(table, 1)) == ("descending", ["S10", "S3"])
    cohort = table.locator("thead th").first
    cohort.get_by_role("button").press("Enter")
    assert (slide.get_attribute("aria-sort"), cohort.get_attribute("aria-sort")) == ("none", "ascending")


def test_fold_table_keeps_its_means_at_the_foot(report, open_page):
    table = (
        open_page(report)
        .get_by_role("region", name=re.compile("C-index of each fold, snn on TCGA_BLCA"))
        .locator("table")
    )
    table.locator("thead th").nth(2).get_by_role("button").click()
    found = [float(text) for text in column(table, 2)]
    assert found == sorted(found)
    assert table.locator("tfoot th").all_inner_texts()[0] == "Mean"
    assert table.locator("tfoot th").all_inner_texts()[-1] == "Pooled"


def test_fold_without_a_number_comes_last(report, open_page):
    table = (
        open_page(report).get_by_role("region", name=re.compile("C-index of each fold, snn on mine")).locator("table")
    )
    for _ in range(2):
        table.locator("thead th").nth(2).get_by_role("button").click()
        assert column(table, 2)[-1] == "–"  # noqa: RUF001 (the page's own sign)
        assert column(table, 0)[-1] == "1"


def test_statistics_of_different_kinds_do_not_sort(report, open_page):
    assert open_page(report).get_by_role("region", name=re.compile("Uncertainty")).locator("th button").count() == 0


@pytest.mark.parametrize("room", ROOM)
def test_nothing_stands_out_of_the_page(report, open_page, room):
    page = open_page(report, width=ROOM[room])
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= ROOM[room]


def test_first_numbers_of_the_headline_are_seen_on_a_phone(report, open_page):
    page = open_page(report, width=ROOM["phone"])
    box = page.locator("#c-index tbody td").first.bounding_box()
    assert box["x"] + box["width"] <= ROOM["phone"]


def test_figures_are_described(report, open_page):
    page = open_page(report)
    for drawing in page.locator("svg").all():
        assert drawing.get_attribute("role") == "img"
        assert len(drawing.get_attribute("aria-label")) > 20
    assert page.locator("svg").count() > 10
    assert all(picture.get_attribute("alt") for picture in page.locator("img").all())


def test_keyboard_reaches_contents_heads_and_tables_that_scroll(report, open_page):
    page = open_page(report, width=ROOM["phone"])
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "(({ tagName, hash, ariaLabel }) => tagName + (hash ?? ariaLabel ?? ''))(document.activeElement)"
            )
        )
    assert {"A#c-index", "A#differences", "A#left-out", "A#provenance", "BUTTON"} <= reached
    assert "DIVConcordance index, scrolls sideways" in reached
    scrolling = "[...document.querySelectorAll('.scroll')].filter((one) => one.scrollWidth > one.clientWidth)"
    assert page.evaluate(f"{scrolling}.length") > 0
    assert page.evaluate(f"{scrolling}.filter((one) => one.tabIndex < 0).length") == 0


CONTRAST = """(scheme) => {
  const channel = (value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r / 255) + 0.7152 * channel(g / 255) + 0.0722 * channel(b / 255);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  return Object.fromEntries(["p", "h2", ".lead", ".small", "a", "td", "thead th", ".chip", ".banner p", ".box dd", ".tiles span", "figcaption", "summary"].map((name) => {
    const element = document.querySelector(name);
    const [ink, paper] = [light(parse(getComputedStyle(element).color)), light(ground(element))];
    return [name, (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05)];
  }));
}"""  # noqa: E501


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(report, open_page, scheme):
    page = open_page(report, scheme=scheme)
    assert (page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)") == (
        scheme == "light"
    )
    found = page.evaluate(CONTRAST, scheme)
    assert len(found) == 13
    assert {name: ratio for name, ratio in found.items() if ratio < 4.5} == {}  # WCAG 2.2, level AA


def test_paper_has_everything_on_white(report, open_page, tmp_path):
    page = open_page(report, scheme="dark")
    page.pdf(path=tmp_path / "page.pdf", format="A4")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("nav").is_visible()
    for closed in page.locator("details:not([open])").all():
        assert closed.locator("td, pre").first.is_visible()
    try:
        text = subprocess.run(
            ["pdftotext", tmp_path / "page.pdf", "-"], capture_output=True, text=True, check=True
        ).stdout
    except FileNotFoundError:
        pytest.skip("pdftotext is not on PATH")
    pages = text.split("\f")[:-1]
    assert len(pages) > 1
    assert "The report at hand" in pages[0]
    assert "Synthetic data" in pages[0]
    assert "5e" * 16 in text.replace("\n", "")  # within a section that is closed on the screen
