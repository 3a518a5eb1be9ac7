"""A first config for a cohort of one's own, from a folder of slides and a table of patients."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from ccl.clinical.propose import propose_covariates
from ccl.cohort.guess import guess_censorship, guess_months
from ccl.cohort.patients import read_patients
from ccl.cohort.sheet import Findings, Source, describe, left_out_of, read_owners, refuse_existing, write_sheet
from ccl.config.cohort_sections import CohortSettings
from ccl.genomics.gmt import read_families
from ccl.genomics.names import some
from ccl.io.errors import ConfigError, InputError
from ccl.io.files import read_table, write_text
from ccl.io.sheets import SAFE_ID

SLIDES_PER_SHARD = 64

WITH_OMICS = ("ccl", "snn", "cox-genomics", "cox-pathology", "cox-multimodal")
WITHOUT_OMICS = ("attmil", "cox-pathology")
"""The models of the config: those of the default config, or models that read slides alone."""


def init_config(
    out: Path,
    *,
    slides: Source,
    patients: Path,
    gmt: Sequence[Path] = (),
    clinical: Path | None = None,
    **omics: Path | None,
) -> Findings:
    """Write a config for one cohort to `out`, and beside it the sheet of its slides, ``<name>.slides.csv``.

    The slides are chosen as by :func:`~ccl.cohort.sheet.make_sheet`.

    Parameters
    ----------
    out : Path
        The config; its name without the suffix becomes the cohort's.
    slides : Source
        Folder of slides or GDC manifest, and how patients are found.
    patients : Path
        Table of follow-up, a row per patient or slide.
    gmt : sequence of Path
        Files of gene families; without them the omics stand in the config as comments.
    clinical : Path, optional
        Clinical table; its columns are written to the config as comments.
    **omics : Path
        Tables by their key in the config's ``omics``.

    Returns
    -------
    Findings
        What was guessed, and what is left to do.

    Raises
    ------
    ConfigError
        `out` or the sheet exists, `out` is not named as a config, there are gene families without omics, or a choice of
        slides is missing.
    InputError
        A table cannot be read, there is no slide of a patient, or two patients have the same slide.
    """
    sheet = out.with_name(f"{out.stem}.slides.csv")
    tables = {kind: path for kind, path in omics.items() if path}
    _check(out, sheet, tables, gmt)
    findings = Findings((out, sheet, left_out_of(sheet)))
    candidates = slides.candidates()
    table, column = read_owners(patients, candidates, slides)
    findings.guessed.append(f"patients: column `{column}` of {patients.name}")
    columns = _guess_columns(table, column, patients, findings)
    names = set(table[column].dropna())
    chosen = slides.choose(candidates, names)
    describe(chosen, slides, names, findings)
    for path in tables.values():
        _note_omics(path, column, names, findings)
    if gmt:
        findings.guessed.append(f"gene families: {some(list(read_families(gmt)), 6)}")
    elif tables:
        findings.todo.append(
            "omics need gene families: name a GMT file as `gmt` in the config, such as the gene families of MSigDB, "
            f"take the `#` from the lines of the omics, and add models that read them ({', '.join(WITH_OMICS)})"
        )
    covariates = _propose(clinical, names, findings) if clinical else []
    write_sheet(sheet, chosen)
    manifest = {} if slides.path.is_dir() else {"download": slides.path}
    files = {"patients": patients, "slides": sheet, **manifest, **tables}
    lines = _config(out, columns, files, gmt, covariates, slides=len(chosen.slides), todo=findings.todo)
    write_text(out, "\n".join(lines) + "\n")
    return findings


def _check(out: Path, sheet: Path, omics: Mapping[str, Path], gmt: Sequence[Path]) -> None:
    refuse_existing(out, sheet, left_out_of(sheet))
    if out.suffix not in (".yaml", ".yml") or not SAFE_ID.fullmatch(out.stem):
        raise ConfigError(
            "not the name of a config",
            where="ccl init --out",
            found=out.name,
            expected="letters, digits, dots, dashes and underscores, which become the cohort's name, and then .yaml",
            todo="choose another name",
        )
    if gmt and not omics:
        raise ConfigError(
            "gene families without omics",
            where="ccl init --gmt",
            found=", ".join(map(str, gmt)),
            expected="a table of omics too",
            todo="name one with --rna, --cnv, --snv or --wide, or leave --gmt out",
        )


def _guess_columns(table: pd.DataFrame, patient: str, path: Path, findings: Findings) -> CohortSettings:
    """Guess the columns of the follow-up, and check what they hold if all are there."""
    guesses = {"months": guess_months(table), "censorship": guess_censorship(table)}
    for name, guess in guesses.items():
        (findings.guessed if guess.column else findings.todo).append(f"{name}: {guess.said}")
    months, censorship = (guess.column or name for name, guess in guesses.items())
    columns = CohortSettings(patient_column=patient, months_column=months, censorship_column=censorship)
    if all(guess.column for guess in guesses.values()):
        try:
            read_patients(path, columns)
        except InputError as error:
            findings.todo.append(f"follow-up: {error.line}")
    return columns


def _note_omics(path: Path, column: str, patients: set[str], findings: Findings) -> None:
    """Note how many patients a table of omics has."""
    table = read_table(path, text=(column,))
    if column not in table.columns:
        findings.todo.append(
            f"{path.name} has no column `{column}`: its rows must be patients, named in a column of that name as in "
            "the table of patients, and its other columns genes"
        )
        return
    shared = len(patients & set(table[column].dropna()))
    said = f"{path.name} has {shared} of the {len(patients)} patients"
    if shared:
        findings.guessed.append(said)
    else:
        findings.todo.append(f"{said}: name them in its column `{column}` as in the table of patients")


def _propose(path: Path, patients: set[str], findings: Findings) -> list[str]:
    """Return the config's section for a clinical table, and note the guesses about its columns."""
    found = propose_covariates(path, patients)
    if found is None:
        findings.todo.append(f"{path.name}: no column names patients as the table of patients does")
        return []
    for what, columns in (
        ("columns that may be covariates", found.covariates),
        ("left out, as named like an outcome", found.outcomes),
        ("left out, as of one value or of many words", found.others),
    ):
        if columns:
            findings.guessed.append(f"{path.name}, {what}: {', '.join(columns)}")
    if found.covariates:
        findings.todo.append(
            f"covariates: take the `#` from `clinical` and from those columns of {path.name} that were known at "
            "diagnosis, and sort levels that have an order, as kind `ordinal` (docs/clinical.md)"
        )
    return found.lines if found.covariates else []


def _config(
    out: Path,
    columns: CohortSettings,
    files: Mapping[str, Path],
    gmt: Sequence[Path],
    covariates: Sequence[str],
    *,
    slides: int,
    todo: Sequence[str],
) -> list[str]:
    """Return the lines of the config; what is left to do stands at its head."""
    paths = {name: _quoted(str(path.absolute())) for name, path in files.items()}
    omics = [name for name in files if name not in ("patients", "slides", "download")]
    off = "" if gmt else "# "
    families = ", ".join(_quoted(str(path.absolute())) for path in gmt) or "families.gmt"
    return [
        "# Written by `ccl init`, for you to change; config/README.md documents every key. To run it:",
        f"#   snakemake --cores 8 --resources gpu=1 --configfile {shlex.quote(str(out))}",
        *(["#", "# To do first:"] if todo else []),
        *(f"# - {' '.join(text.split())}" for text in todo),
        f"results: {_quoted(f'results/{out.stem}')}",
        f"shards: {math.ceil(slides / SLIDES_PER_SHARD)}    # processes that the slides are spread over; now leave it",
        "",
        "cohorts:",
        f"  {_quoted(out.stem)}:",
        f"    patients: {paths['patients']}",
        f"    patient_column: {_quoted(columns.patient_column)}    # here and in the omics tables",
        f"    months_column: {_quoted(columns.months_column)}    # follow-up",
        f"    censorship_column: {_quoted(columns.censorship_column)}    # 1 = censored, 0 = death observed",
        f"    slides: {paths['slides']}",
        *(
            [f"    download: {{manifest: {paths['download']}}}    # fetches what is missing"]
            if "download" in paths
            else []
        ),
        *([f"    {off}omics:"] if omics else []),
        *(f"    {off}  {kind}: {paths[kind]}" for kind in omics),
        *([f"    {off}gmt: {f'[{families}]' if len(gmt) > 1 else families}    # gene families"] if omics else []),
        *(["    # clinical:"] if covariates else []),
        *(f"    #   {line}" for line in covariates),
        "",
        "embed:",
        "  encoders:",
        "    resnet50: {}    # or one made for pathology, such as `uni2-h: {}`; `ccl encoders` lists them",
        "",
        "models:    # `ccl models` lists all",
        *(f"  {model}: {{}}" for model in (WITH_OMICS if gmt else WITHOUT_OMICS)),
    ]


def _quoted(text: str) -> str:
    """Return text as YAML takes it for text, whatever it looks like."""
    return json.dumps(text, ensure_ascii=False)
