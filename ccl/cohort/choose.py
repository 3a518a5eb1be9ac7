"""Which slides become rows of the sheet: the rules, one after the other, and the slides that each leaves out."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ccl.cohort.find import TCGA_BARCODE, Candidate, owner_of
from ccl.io.errors import ConfigError, InputError, SlideError
from ccl.io.progress import progress
from ccl.io.sheets import SAFE_ID, Frozen, Slide
from ccl.wsi.reader.by_openslide import open_file
from ccl.wsi.reader.opening import slide_fingerprint
from ccl.wsi.reader.scale import level0_mpp

STRANGERS = "slides of no known patient, left out"
UNUSABLE = "files that are not usable slides, left out"
NORMAL = "slides of normal tissue, left out"
FROZEN = "frozen sections, left out"
DOUBLES = "files of the same content as another slide of the patient, counted once"
UNSCALED = "slides without a usable scale, whose `mpp` (um per pixel at level 0) has to be filled in the sheet"

TCGA_SLIDE = re.compile(TCGA_BARCODE.pattern + r"-(?P<sample>\d\d)[A-Z]-\d\d-(?P<section>DX|TS|BS|MS)")
"""A slide of TCGA: its sample (10 to 19 is normal tissue), and whether it is diagnostic (DX) or a frozen section, cut
from the top, bottom or middle of the sample (TS, BS, MS)."""

SHOWN = 5
"""Names in a message; the table of slides left out has all."""


class LeftOut(NamedTuple):
    """A slide that is not in the sheet; a row of the table of slides left out."""

    path: Path
    patient_id: str | None
    rule: str
    why: str


@dataclass
class Chosen:
    """The slides of the sheet, and what the rules did."""

    slides: list[Slide] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    unscaled: list[LeftOut] = field(default_factory=list)
    """Slides of the sheet whose scale is not known."""
    absent: list[Candidate] = field(default_factory=list)
    """Slides of the sheet that are still to be downloaded."""

    def leave_out(self, rule: str, reasons: Mapping[str, str]) -> None:
        """Move slides from the sheet to those left out.

        Parameters
        ----------
        rule : str
            The rule that leaves them out.
        reasons : mapping
            Why, by slide.
        """
        self.left_out += [
            LeftOut(slide.path, slide.patient_id, rule, reasons[slide.slide_id])
            for slide in self.slides
            if slide.slide_id in reasons
        ]
        self.slides = [slide for slide in self.slides if slide.slide_id not in reasons]

    def counted(self, *rules: str) -> list[str]:
        """Return how many slides each of some rules left out, if any."""
        often = Counter(row.rule for row in self.left_out)
        return [f"{rule}: {often[rule]}" for rule in rules if often[rule]]

    def said(self, *rules: str) -> list[str]:
        """Return a sentence for each of some rules that concern a slide: how many, and which."""
        return [
            f"{rule} ({len(names)}): {shortened(names)}"
            for rule in rules
            if (
                names := [
                    f"{row.path.name} ({row.why})" for row in [*self.left_out, *self.unscaled] if row.rule == rule
                ]
            )
        ]


def shortened(names: Sequence[str]) -> str:
    """Return the first of some names, and how many more there are."""
    more = [f"and {len(names) - SHOWN} more"] if len(names) > SHOWN else []
    return ", ".join([*names[:SHOWN], *more])


def choose_slides(
    candidates: Sequence[Candidate],
    source: Path,
    *,
    patients: Collection[str] | None = None,
    pattern: re.Pattern[str] | None = None,
    frozen: Frozen | None = None,
) -> Chosen:
    """Choose the slides of the sheet.

    The rules, in this order: a slide needs a known patient; normal tissue is left out; a slide that is there must be
    readable; diagnostic slides go before frozen sections; the same content counts once.

    Parameters
    ----------
    candidates : sequence of Candidate
        What was found in `source`.
    patients : collection of str, optional
        The patients of the table; without a table, any patient that a name tells is known.
    pattern : pattern, optional
        See :func:`~ccl.cohort.find.owner_of`.
    frozen : {'drop', 'fallback', 'keep'}, optional
        See :data:`~ccl.io.sheets.Frozen`; it is needed if a patient has frozen sections alone.

    Raises
    ------
    InputError
        No slide is left, or two patients have the same slide.
    ConfigError
        A patient has frozen sections alone, and `frozen` does not say what to do with them.
    """
    chosen = Chosen()
    by_id = {candidate.slide_id: candidate for candidate in candidates}
    for slide in progress(list(_owned(candidates, patients, pattern, chosen)), "slides", unit="slide"):
        if why := _fault(slide, by_id[slide.slide_id], chosen):
            chosen.left_out.append(LeftOut(slide.path, slide.patient_id, UNUSABLE, why))
        else:
            chosen.slides.append(slide)
    _drop_frozen(chosen, frozen)
    _drop_doubles(chosen, by_id, source)
    kept = {slide.path for slide in chosen.slides}
    chosen.unscaled = [row for row in chosen.unscaled if row.path in kept]
    chosen.absent = [by_id[slide.slide_id] for slide in chosen.slides if not slide.path.exists()]
    if not chosen.slides:
        found = "; ".join(chosen.said(*dict.fromkeys(row.rule for row in chosen.left_out)))
        raise InputError("no usable slide of a patient", where=str(source), found=found, todo="correct the slides")
    return chosen


def _owned(
    candidates: Sequence[Candidate],
    patients: Collection[str] | None,
    pattern: re.Pattern[str] | None,
    chosen: Chosen,
) -> Iterator[Slide]:
    """Yield the slides of known patients that are not of normal tissue."""
    for candidate in candidates:
        owner = patient_of(candidate, patients or (), pattern)
        barcode = TCGA_SLIDE.match(candidate.path.name)
        if owner is not None and not SAFE_ID.fullmatch(owner):
            why = f"`{owner}` cannot be an identifier: letters, digits, dots, dashes, underscores"
            chosen.left_out.append(LeftOut(candidate.path.absolute(), owner, STRANGERS, why))
        elif owner is None or (patients is not None and owner not in patients):
            chosen.left_out.append(
                LeftOut(candidate.path.absolute(), owner, STRANGERS, owner or _untold(candidate, pattern))
            )
        elif (candidate.sample and candidate.sample.normal) or (barcode and barcode["sample"].startswith("1")):
            chosen.left_out.append(LeftOut(candidate.path.absolute(), owner, NORMAL, "normal tissue"))
        else:
            yield Slide(candidate.slide_id, owner, candidate.path.absolute(), None, None)


def patient_of(candidate: Candidate, patients: Collection[str], pattern: re.Pattern[str] | None) -> str | None:
    """Return the patient of a slide: by the sample sheet if there is one, or else by its names."""
    if candidate.sample:
        return candidate.sample.patient_id
    return owner_of(candidate.names, patients, pattern)


def _untold(candidate: Candidate, pattern: re.Pattern[str] | None) -> str:
    if candidate.sample:
        return "the sample sheet does not name one case for it"
    return "the pattern is not found in its name" if pattern else "its name begins with no patient"


def _fault(slide: Slide, candidate: Candidate, chosen: Chosen) -> str | None:
    """Return why a slide cannot be used, if it is there; note it if its scale is not known."""
    if candidate.file and not slide.path.exists():
        return None
    if candidate.file and slide.path.stat().st_size != candidate.file.size:
        return f"it has {slide.path.stat().st_size:,} bytes, and {candidate.file.size:,} in the manifest"
    try:
        file = open_file(slide)
    except SlideError as error:
        return error.problem
    with file:
        try:
            level0_mpp(slide, file.properties)
        except SlideError as error:
            chosen.unscaled.append(LeftOut(slide.path, slide.patient_id, UNSCALED, error.problem))
    return None


def is_frozen(slide: Slide) -> bool:
    """Return whether the name of a slide says that it is a frozen section of TCGA."""
    barcode = TCGA_SLIDE.match(slide.path.name)
    return barcode is not None and barcode["section"] != "DX"


def _drop_frozen(chosen: Chosen, frozen: Frozen | None) -> None:
    """Leave frozen sections out, as far as `frozen` says."""
    others = {slide.patient_id for slide in chosen.slides if not is_frozen(slide)}
    alone = sorted({slide.patient_id for slide in chosen.slides} - others)
    if alone and frozen is None:
        raise ConfigError(
            "patients have frozen sections, but no diagnostic slide",
            where="--frozen",
            found=f"{len(alone)} of {len(alone) + len(others)} patients: {shortened(alone)}",
            expected="a choice, because slides of both kinds look different",
            todo="`--frozen fallback` keeps the frozen sections of these patients, `--frozen drop` leaves the patients"
            " out, `--frozen keep` keeps the frozen sections of all patients",
        )
    if frozen == "keep":
        return
    kept = set(alone) if frozen == "fallback" else set()
    reasons = {
        slide.slide_id: f"the patient has {'other slides' if slide.patient_id in others else 'no other slide'}"
        for slide in chosen.slides
        if is_frozen(slide) and slide.patient_id not in kept
    }
    chosen.leave_out(FROZEN, reasons)


def _drop_doubles(chosen: Chosen, candidates: Mapping[str, Candidate], source: Path) -> None:
    """Keep one slide of those with the same content.

    Raises
    ------
    InputError
        They are of several patients.
    """
    leaks: list[str] = []
    doubles: dict[str, str] = {}
    for first, *others in _same_content(chosen.slides, candidates):
        owners = sorted({slide.patient_id for slide in (first, *others)})
        if len(owners) > 1:
            leaks.append(" and ".join(f"{slide.path.name} of {slide.patient_id}" for slide in (first, *others)))
        doubles |= {slide.slide_id: f"as {first.path.name}" for slide in others}
    if leaks:
        raise InputError(
            "two patients have the same slide",
            where=str(source),
            found="; ".join(leaks),
            expected="each slide for one patient; otherwise a training patient and a test patient may share it",
            todo="find out whose the slide is, and remove the other file or its line of the manifest",
        )
    chosen.leave_out(DOUBLES, doubles)


def _same_content(slides: Sequence[Slide], candidates: Mapping[str, Candidate]) -> list[list[Slide]]:
    """Return the groups of slides of the same size and digest; the files of a manifest are told by its MD5 sums."""
    files = {slide.slide_id: candidates[slide.slide_id].file for slide in slides}
    sizes = {slide.slide_id: file.size if (file := files[slide.slide_id]) else _bytes(slide.path) for slide in slides}
    often = Counter(sizes.values())
    groups = defaultdict(list)
    for slide in slides:
        size = sizes[slide.slide_id]
        if often[size] > 1:
            file = files[slide.slide_id]
            groups[size, file.md5 if file else slide_fingerprint(slide)].append(slide)
    return [group for group in groups.values() if len(group) > 1]


def _bytes(path: Path) -> int:
    """Return the size of a slide; of a folder, that of its files together."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)
