"""Making the synthetic cohort: tables, slides or bags, and the truth."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ccl.config.sections import DemoSettings
from ccl.demo import VERSION
from ccl.demo.bags import bag_sheet, make_bags
from ccl.demo.omics import Omics, draw_omics
from ccl.demo.risk import Risk, draw_follow_up, draw_risk
from ccl.demo.slides import make_slides, plan_slides, slide_sheet
from ccl.io.errors import ConfigError, InputError
from ccl.io.files import read_json, write_json, write_table, write_text

LEAST_PATIENTS = 5
"""So that each of the usual five folds has a patient to test."""

FINISHED, UNFINISHED = "demo.json", ".demo-unfinished.json"

LATENTS_STREAM, FOLLOW_UP_STREAM, OMICS_STREAM, SLIDES_STREAM, BAGS_STREAM, CLINICAL_STREAM, SHUFFLE_STREAM = range(7)
"""Second word of each random stream's seed: one kind of draw does not disturb the others."""


def make_demo(out: Path, settings: DemoSettings) -> None:
    """Make the synthetic cohort in `out`; a folder that already holds it is left as it is.

    ``demo.json``, written last, says what the folder holds; a run that was cut short is done again.

    Raises
    ------
    ConfigError
        Fewer than five patients, or a negative seed.
    InputError
        `out` holds something else.
    """
    _check(settings)
    record = {"synthetic": True, "version": VERSION, "settings": asdict(settings)}
    if _is_there(out, record):
        return
    write_json(out / UNFINISHED, record)
    names = [f"DEMO-{i:0{max(3, len(str(settings.patients)))}d}" for i in range(1, settings.patients + 1)]
    risk = draw_risk(settings.patients, _rng(settings, LATENTS_STREAM))
    omics = draw_omics(risk.latents, _rng(settings, OMICS_STREAM))
    _write_patients(out, settings, names, risk)
    _write_omics(out, names, omics)
    if settings.bags:
        sheet = bag_sheet(names)
        make_bags(out, list(sheet["slide_id"]), latents=risk.latents, seed=(settings.seed, BAGS_STREAM))
    else:
        plans = plan_slides(names)
        sheet = slide_sheet(plans, names)
        make_slides(out, plans, latents=risk.latents, seed=(settings.seed, SLIDES_STREAM))
    write_table(out / "slides.csv", sheet)
    write_text(out / "README.md", _readme(settings))
    (out / UNFINISHED).replace(out / FINISHED)


def _check(settings: DemoSettings) -> None:
    if settings.patients < LEAST_PATIENTS:
        raise ConfigError(
            "too few patients for a cohort",
            where="ccl demo --patients",
            found=str(settings.patients),
            expected=f"{LEAST_PATIENTS} or more",
            todo="ask for more patients",
        )
    if settings.seed < 0:
        raise ConfigError(
            "not a seed", where="ccl demo --seed", found=str(settings.seed), expected="0 or more", todo="choose another"
        )


def _is_there(out: Path, record: dict[str, Any]) -> bool:
    """Tell whether `out` holds the finished cohort; refuse a folder that holds anything but this one, begun or done."""
    held = sorted(path.name for path in out.iterdir()) if out.is_dir() else [out.name] * out.exists()
    if not held:
        return False
    for name in (FINISHED, UNFINISHED):
        if name in held and read_json(out / name) == record:
            return name == FINISHED
    raise InputError(
        "the folder holds something else than this synthetic cohort",
        where=str(out),
        found=str(read_json(out / FINISHED)) if FINISHED in held else ", ".join(held[:5]),
        expected=f"an empty or new folder, or {record}",
        todo="choose another folder, or delete this one",
    )


def _rng(settings: DemoSettings, stream: int) -> np.random.Generator:
    return np.random.default_rng([settings.seed, stream])


def _write_patients(out: Path, settings: DemoSettings, names: list[str], risk: Risk) -> None:
    """Write the follow-up, with age and sex that carry nothing, and the truth about it."""
    follow_up = draw_follow_up(risk.log_risk, _rng(settings, FOLLOW_UP_STREAM))
    owners = np.arange(len(names))
    if settings.shuffle_risk:
        owners = _rng(settings, SHUFFLE_STREAM).permutation(owners)
    clinical = _rng(settings, CLINICAL_STREAM)
    patients = pd.DataFrame({"patient_id": names}).join(follow_up.iloc[owners].reset_index(drop=True))
    patients["age"] = clinical.normal(63, 10, len(names)).round().clip(30, 90).astype(int)
    patients["sex"] = clinical.choice(["female", "male"], len(names))
    write_table(out / "patients.csv", patients)
    truth = pd.DataFrame({"patient_id": names}).join(risk.latents.add_prefix("latent_"))
    truth = truth.join(risk.parts.add_prefix("risk_")).assign(log_risk=risk.log_risk)
    write_table(out / "truth" / "patients.csv", truth.assign(follow_up_of=[names[owner] for owner in owners]))


def _write_omics(out: Path, names: list[str], omics: Omics) -> None:
    for kind, table in (("rna", omics.rna), ("cnv", omics.cnv), ("snv", omics.snv)):
        table.insert(0, "patient_id", names)
        write_table(out / f"{kind}.csv", table)
    lines = ["\t".join([name, "synthetic family", *genes]) for name, genes in omics.families.items()]
    write_text(out / "families.gmt", "\n".join(lines) + "\n")
    write_table(out / "truth" / "genes.csv", omics.genes)


def _readme(settings: DemoSettings) -> str:
    pictures = "patch features (`features/`, encoder `planted`)" if settings.bags else "slides (`slides/`)"
    follow_up = (
        "The follow-up was then handed to other patients at random, so nothing predicts it (`follow_up_of`)."
        if settings.shuffle_risk
        else "An oracle that knows the log-risk reaches a C-index of about 0.9; half of the patients are censored."
    )
    return (
        f"# A synthetic cohort\n\nNobody's data: `ccl demo` drew {settings.patients} patients with {pictures} and "
        f"genes (`rna.csv`, `cnv.csv`, `snv.csv`, `families.gmt`) from seed {settings.seed}. The log-risk is a sum of "
        "four parts: `shared`, a latent factor that shows in the tumour and in genes; `pathology`, lymphocytes alone; "
        "`genomics`, genes alone; and `synergy`, the product of a factor that shows in myxoid stroma and one that "
        f"shows in genes, neither of which matters by itself. {follow_up} Age and sex carry nothing. `truth/` holds "
        "the factors and parts of each patient, the factor of each gene, and where the pictures show what.\n"
    )
