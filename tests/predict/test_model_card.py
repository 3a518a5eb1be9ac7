"""The model card of a bundle says what is known, and marks what is open."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ccl.predict.card import Card, read_card
from ccl.predict.model_card import write_model_card
from ccl.predict.tripod import ITEMS, OPEN, tripod
from tests.predict.conftest import Project


def read(folder: Path) -> tuple[str, str]:
    return (folder / "model_card.html").read_text(), (folder / "model_card.md").read_text()


def test_a_bundle_has_a_card_for_readers(snn: Path) -> None:
    html, markdown = read(snn)
    card = read_card(snn)
    assert card.training is not None
    c_index = f"{card.training['internal']['concordance']['c_index']:.3f}"
    for page in (html, markdown):
        assert "On whom it was trained" in page
        assert f"{card.n_patients} patients of toy" in page
        assert c_index in page
        assert card.sha256 in page
        assert "to be tested" in page
        assert "no external validation is part of this card" in page
        assert "andom weights" in page or card.weights == "none"
    assert "synthetic cohort" in markdown


def test_every_item_of_tripod_is_a_heading_and_what_is_unknown_is_open(snn: Path) -> None:
    html, markdown = read(snn)
    for number, heading in ITEMS.items():
        assert f"### {number}. {heading}" in markdown
        assert f"<h3>{number}. {heading}</h3>" in html
    known = dict(tripod(read_card(snn), outside=False))
    assert known["17. Ethical approval"] == known["18a. Funding"] == OPEN
    assert "7 columns of omics" in known["9. Predictors"]


def test_the_covariates_of_the_training_are_table_1(project: Project) -> None:
    runs = [project.train("snn", fold) for fold in range(2)]
    inputs = replace(project.inputs("snn"), clinical=project.folder / "clinical.csv")
    project.inputs = lambda method: inputs  # type: ignore[method-assign]
    bundle = project.bundle(*runs)
    _, markdown = read(bundle)
    card = read_card(bundle)
    assert card.training is not None
    assert [row["name"] for row in card.training["covariates"]] == ["age", "stage"]
    assert "| age (years) | mean ± standard deviation |" in markdown
    assert "| stage | II |" in markdown
    assert "What it adds to covariates" in markdown


def test_results_outside_are_shown_and_no_longer_open(snn: Path, tmp_path: Path) -> None:
    write_model_card(tmp_path, read_card(snn), {"south": ["The C-index is 0.612."]})
    html, markdown = read(tmp_path)
    assert "How good it is outside: south" in html
    assert "- The C-index is 0.612." in markdown
    assert "no external validation" not in markdown


def old(card: Card) -> Card:
    return replace(card, training=None)


def test_the_card_of_an_old_bundle_says_what_is_not_recorded(snn: Path, tmp_path: Path) -> None:
    write_model_card(tmp_path, old(read_card(snn)))
    assert "Not recorded" in read(tmp_path)[1]


def lists(entry: Any) -> Iterator[list[Any]]:
    """Yield every list within an entry."""
    if isinstance(entry, list):
        yield entry
    for own in entry.values() if isinstance(entry, dict) else entry if isinstance(entry, list) else ():
        yield from lists(own)


def test_a_bundle_tells_nothing_about_single_patients(project: Project, snn: Path) -> None:
    entries = json.loads((snn / "bundle.json").read_text())
    text = json.dumps(entries)
    assert not any(f'"{name}"' in text for name in project.cohort.genomics.patients)
    fingerprints = entries["training"].pop("fingerprints")
    lengths = {len(found) for found in lists(entries["training"])}
    assert entries["n_patients"] not in lengths
    assert len(fingerprints["patients"]) == entries["n_patients"]


def test_fingerprints_can_be_left_out(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from ccl.config.sections import BundleSettings
    from ccl.predict.bundle import make_bundle

    out = project.folder / "secret"
    settings = BundleSettings(licence="mine", intended_use="tests", fingerprints=False)
    run = project.train("snn", 0)
    make_bundle(runs=[run], inputs=project.inputs("snn"), out=out, settings=settings, preprocessing={})
    training = read_card(out).training
    assert training is not None
    assert training["fingerprints"] is None
