"""Making the synthetic cohort: tables, slides or bags, and the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ccl.config.sections import DemoSettings
from ccl.demo.bags import make_bags
from ccl.demo.clinical import draw_clinical
from ccl.demo.hospital import HOSPITALS
from ccl.demo.omics import Omics, draw_omics
from ccl.demo.plan import (
    FINISHED,
    UNFINISHED,
    bag_sheet,
    demo_record,
    is_made,
    patient_names,
    plan_slides,
    slide_sheet,
)
from ccl.demo.risk import Risk, draw_follow_up, draw_risk
from ccl.demo.slides import make_slides
from ccl.io.files import write_json, write_table, write_text

(
    LATENTS_STREAM, FOLLOW_UP_STREAM, OMICS_STREAM, SLIDES_STREAM, BAGS_STREAM, AGE_STREAM, SHUFFLE_STREAM,
    CLINICAL_STREAM,
) = range(8)  # fmt: skip
"""Second word of each random stream's seed, which keeps the kinds of draws independent."""


def make_demo(out: Path, settings: DemoSettings) -> None:
    """Make the synthetic cohort in `out`; a folder that already holds it is not changed.

    ``demo.json`` is written last and describes the folder.  The cohort is made again after an interrupted run, or if a
    table, a slide or a bag is missing.

    Raises
    ------
    ConfigError
        Fewer than five patients, or a negative seed.
    InputError
        `out` holds something else.
    """
    if is_made(out, settings):
        return
    write_json(out / UNFINISHED, demo_record(settings))
    names, hospital = patient_names(settings), HOSPITALS[settings.hospital]
    risk = draw_risk(settings.patients, _rng(settings, LATENTS_STREAM), hospital)
    of_patients = _rng(settings, OMICS_STREAM) if hospital.streams else None
    genes = np.random.default_rng([settings.seed, OMICS_STREAM])
    omics = draw_omics(risk.latents, genes, patients=of_patients, expression=hospital.expression)
    _write_patients(out, settings, names, risk)
    _write_omics(out, names, omics)
    if settings.bags:
        sheet = bag_sheet(names)
        seed = settings.seed, BAGS_STREAM
        make_bags(out, list(sheet["slide_id"]), latents=risk.latents, seed=seed, patients=hospital.streams)
    else:
        plans = plan_slides(names, hospital)
        sheet = slide_sheet(plans, names)
        make_slides(out, plans, latents=risk.latents, seed=(settings.seed, SLIDES_STREAM, *hospital.streams))
    write_table(out / "slides.csv", sheet)
    write_text(out / "README.md", _readme(settings))
    (out / UNFINISHED).replace(out / FINISHED)


def _rng(settings: DemoSettings, stream: int) -> np.random.Generator:
    """Return the generator of a kind of draw for the patients of the hospital."""
    return np.random.default_rng([settings.seed, stream, *HOSPITALS[settings.hospital].streams])


def _write_patients(out: Path, settings: DemoSettings, names: list[str], risk: Risk) -> None:
    """Write the follow-up, with age and sex, which do not affect the risk, the covariates, and the truth."""
    follow_up = draw_follow_up(risk.log_risk, _rng(settings, FOLLOW_UP_STREAM), HOSPITALS[settings.hospital])
    owners = np.arange(len(names))
    if settings.shuffle_risk:
        owners = _rng(settings, SHUFFLE_STREAM).permutation(owners)
    drawn = _rng(settings, AGE_STREAM)
    patients = pd.DataFrame({"patient_id": names}).join(follow_up.iloc[owners].reset_index(drop=True))
    patients["age"] = drawn.normal(63, 10, len(names)).round().clip(30, 90).astype(int)
    patients["sex"] = drawn.choice(["female", "male"], len(names))
    write_table(out / "patients.csv", patients)
    clinical = draw_clinical(risk.parts, patients["age"], _rng(settings, CLINICAL_STREAM))
    clinical.insert(0, "patient_id", names)
    write_table(out / "clinical.csv", clinical)
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
        "The follow-up was then assigned to other patients at random, so nothing predicts it (`follow_up_of`)."
        if settings.shuffle_risk
        else "An oracle that knows the log-risk reaches a C-index of about 0.9; half of the patients are censored."
    )
    differences = HOSPITALS[settings.hospital].differences
    planted = f"\nThis is the second hospital. Its differences from the first: {'; '.join(differences)}.\n"
    return (
        f"# A synthetic cohort\n\nNo real data: `ccl demo` drew {settings.patients} patients with {pictures} and "
        f"genes (`rna.csv`, `cnv.csv`, `snv.csv`, `families.gmt`) from seed {settings.seed}. The log-risk is a sum of "
        "four parts: `shared`, a latent factor that shows in the tumour and in genes; `pathology`, only lymphocytes; "
        "`genomics`, only genes; and `synergy`, the product of a factor that shows in myxoid stroma and one that "
        f"shows in genes, neither of which matters by itself. {follow_up} In `clinical.csv`, the stage carries "
        "a part of `shared` and the grade a part of `pathology`; age, sex and laterality do not matter. `truth/` holds "
        "the factors and parts of each patient, the factor of each gene, and the truth about the pictures.\n"
        + planted
        * bool(differences)
    )
