"""The model card of a bundle: what a clinician should know before using it, as HTML and Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ccl.added.words import for_whom, reads_of, sentence
from ccl.evaluate.words import calibration_sentences
from ccl.io.files import write_text
from ccl.methods import get_method
from ccl.pages.html import render
from ccl.pages.numbers import MISSING, number, percent, plural
from ccl.pages.provenance import provenance
from ccl.predict.card import CARD, WEIGHTS, Card
from ccl.predict.tripod import tripod

NOT_RECORDED = "Not recorded: the bundle was made by an earlier version of ccl."
PAGE, MARKDOWN = "model_card.html", "model_card.md"

LIMITS = (
    "The model orders patients by risk. It does not say which treatment helps.",
    "A patient unlike those of the training gets a number too. ccl predict warns of many such patients, not of all.",
    "The spread between networks is not a confidence interval.",
)


@dataclass(frozen=True)
class Section:
    """A part of the card."""

    title: str
    paragraphs: Sequence[str] = ()
    points: Sequence[str] = ()
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    items: Sequence[tuple[str, str]] = field(default=())
    """Headings below the section's own, each with a paragraph."""


def write_model_card(folder: Path, card: Card, outside: Mapping[str, Sequence[str]] | None = None) -> None:
    """Write ``model_card.html`` and ``model_card.md``.

    Parameters
    ----------
    folder : Path
        Where to write them.
    card : Card
        The bundle.
    outside : mapping, optional
        What external validations found: sentences by cohort.
    """
    sections = list(_sections(card, outside or {}))
    title = f"{card.model}, trained on {card.cohort}"
    made = provenance()
    page = render("model_card.html", "ccl.predict", title=title, sections=sections, caveats=card.caveats, **made)
    write_text(folder / PAGE, page)
    write_text(folder / MARKDOWN, _markdown(title, sections, card.caveats))


def _sections(card: Card, outside: Mapping[str, Sequence[str]]) -> Iterator[Section]:
    internal = (card.training or {}).get("internal")
    yield Section("What it is for", [card.intended_use, "It predicts the risk of death from the inputs below."])
    yield from _patients(card)
    yield _inside(card, internal)
    if outside:
        for cohort, found in outside.items():
            yield Section(f"How good it is outside: {cohort}", points=found)
    else:
        yield Section("How good it is outside", ["Open: no external validation is part of this card."])
    yield from _covariates(card, internal)
    yield Section("Limits", points=[*(f"{caveat.capitalize()}." for caveat in card.caveats), *LIMITS])
    yield _licences(card)
    items = tripod(card, outside=bool(outside))
    yield Section("TRIPOD+AI", ["The items of a report of a prediction model.", OPENING], items=items)


OPENING = "What ccl cannot know is marked as open, for the developers to write."


def _patients(card: Card) -> Iterator[Section]:
    """Yield on whom the model was trained: Table 1."""
    training = card.training or {}
    who = f"{plural(card.n_patients, 'patient')} of {card.cohort}, of whom {card.n_events} died."
    rows: list[Sequence[str]] = [
        ("patients", "n", str(card.n_patients)),
        ("deaths", "n", _share(card.n_events, card.n_patients)),
    ]
    if internal := training.get("internal"):
        followed = internal["follow_up"]
        rows.append(
            (
                "follow-up (months)",
                "median (longest)",
                f"{followed['median_months']:.1f} ({followed['longest_months']:.1f})",
            )
        )
    for row in training.get("covariates") or ():
        rows += _characteristics(row)
    if slides := training.get("slides"):
        scales = ", ".join(f"{scale} um/px: {count}" for scale, count in slides["scales"]["level0_mpp"].items())
        rows += [("slides", "n", str(slides["n"])), ("scanner", "scale: slides", scales or MISSING)]
    notes = [] if card.training else [NOT_RECORDED]
    yield Section(
        "On whom it was trained", [who, training.get("about", ""), *notes], header=("", "Value", "Training"), rows=rows
    )


def _characteristics(row: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    """Yield the rows of a covariate in Table 1."""
    title = f"{row['name']} ({row['unit']})" if row["unit"] else row["name"]
    if "levels" in row:
        for level, count in row["levels"].items():
            yield title, level, _share(count, row["n"])
    elif row["n"]:
        yield title, "mean ± standard deviation", f"{row['mean']:.1f} ± {row['sd']:.1f}"
    yield title, "missing", _share(row["missing"], row["n"] + row["missing"])


def _share(count: int, whole: int) -> str:
    return f"{count} ({percent(count / whole, 0)})" if whole else MISSING


def _inside(card: Card, internal: Mapping[str, Any] | None) -> Section:
    title = "How good it is inside"
    if internal is None:
        return Section(title, [NOT_RECORDED])
    found, brier = internal["concordance"], internal["integrated_brier"]
    error = f" (standard error {number(found['se'])})" if found["se"] is not None else ""
    method = (
        f"These numbers are of cross-validation on {card.cohort}: each patient is predicted by the networks that were"
        " not trained on them."
    )
    c_index = f"The C-index of all patients together is {number(found['c_index'])}{error}; 0.5 is chance, 1 is perfect."
    rows = [
        (f"{at['months']:g}", f"{at['n_dead']} / {at['n_alive']}", number(at["auc"]), number(at["brier"]),
         number(at["brier_kaplan_meier"]))
        for at in internal["months"]
    ]  # fmt: skip
    curve = (
        f"The integrated Brier score is {number(brier['score'])}, that of one curve for all"
        f" {number(brier['kaplan_meier'])}; lower is better."
    )
    header = ("Months", "Dead / alive then", "AUC", "Brier score", "One curve for all")
    return Section(
        title, [method, c_index, curve, calibration_sentences(internal["calibration"])], header=header, rows=rows
    )


def _covariates(card: Card, internal: Mapping[str, Any] | None) -> Iterator[Section]:
    """Yield what the model adds to covariates, and its C-index in sub-groups."""
    added = internal and internal["added"]
    title = "What it adds to covariates"
    if not added:
        yield Section(title, [NOT_RECORDED if internal is None else "Open: the training cohort has no covariates."])
        return
    yield Section(
        title, [sentence(card.model, added.get("covariates", ("the covariates",)), added, reads_of(card.reads))]
    )
    rows = [
        (row["covariate"], row["group"], f"{row['n_patients']} ({row['n_events']})",
         row["reason"] or f"{number(row['c_index'])} [{number(row['lower'])}, {number(row['upper'])}]")
        for row in added.get("groups", ())
    ]  # fmt: skip
    header = ("Covariate", "Group", "Patients (deaths)", "C-index [95 %]")
    tested = for_whom(added["tests"]) if "tests" in added else ""
    yield Section("Sub-groups", [tested] if rows else ["Open: no sub-groups were judged."], header=header, rows=rows)


def _licences(card: Card) -> Section:
    rows = [
        ("this bundle", card.licence),
        (f"encoder {card.encoder}", card.encoder_licence or "not known to ccl") if card.encoder != "none" else None,
        ("ccl", "Apache-2.0"),
        (f"method {card.method}", get_method(card.method).citation),
        (WEIGHTS, f"sha256 {card.sha256}"),
        (CARD, "its entry key is the sha256 of all its other entries"),
        ("versions", ", ".join(f"{name} {number}" for name, number in card.versions.items())),
    ]
    return Section("Licences and hashes", header=("What", "Licence, source or hash"), rows=[row for row in rows if row])


def _markdown(title: str, sections: Sequence[Section], caveats: Sequence[str]) -> str:
    lines = [f"# {title}", "", *([f"**Careful: {', '.join(caveats)}.**", ""] if caveats else [])]
    for section in sections:
        lines += [f"## {section.title}", ""]
        for paragraph in filter(None, section.paragraphs):
            lines += [paragraph, ""]
        lines += [*(f"- {point}" for point in section.points), *([""] if section.points else [])]
        if section.rows:
            table = [section.header, ["---"] * len(section.header), *section.rows]
            lines += [*("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in table), ""]
        for heading, text in section.items:
            lines += [f"### {heading}", "", text, ""]
    return "\n".join(lines)
