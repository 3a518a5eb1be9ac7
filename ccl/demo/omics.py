"""The synthetic genes: six families, the latents that genes carry, and the three omics tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FAMILY_SIZES = {
    "Tumor Suppressor Genes": 30,
    "Oncogenes": 32,
    "Protein Kinases": 36,
    "Cell Differentiation Markers": 28,
    "Transcription Factors": 38,
    "Cytokines and Growth Factors": 26,
}
"""Number of genes of each family, including those shared with the previous family."""

BORROWED = 3
"""Number of genes that a family shares with the previous family."""

CARRIERS = {
    "shared": ("Tumor Suppressor Genes", "Protein Kinases"),
    "genomics": ("Oncogenes", "Transcription Factors"),
    "synergy_gene": ("Cell Differentiation Markers", "Cytokines and Growth Factors"),
}
"""The two families of each latent; a third of their genes carry it."""

RNA_NOISE = 0.7
CNV_NOISE = 0.7
SNV_BASELINE = -1.8
"""Log-odds of a mutation without the effect of a latent: about 14 %."""


@dataclass(frozen=True)
class Omics:
    """The omics of the cohort and the planted effects."""

    rna: pd.DataFrame
    """(P, G) expression like z-scores."""
    cnv: pd.DataFrame
    """(P, G) copy-number calls, -2 to 2."""
    snv: pd.DataFrame
    """(P, G) 1 where the gene is mutated."""
    families: dict[str, tuple[str, ...]]
    genes: pd.DataFrame
    """``gene``, ``families`` (separated by semicolons), ``factor`` (empty for none), ``loading_rna``, ``loading_cnv``,
    ``loading_snv``."""


def draw_omics(
    latents: pd.DataFrame,
    rng: np.random.Generator,
    *,
    patients: np.random.Generator | None = None,
    expression: tuple[float, float] = (1.0, 0.0),
) -> Omics:
    """Draw the three tables from the latents that show in genes.

    Every carrier shows its latent in expression, every second one also in copy number, and every fourth in mutations.

    Parameters
    ----------
    latents : DataFrame
        (P, 5) latents of the patients.
    rng : Generator
        Draws which genes carry a latent.
    patients : Generator, optional
        Draws the patients' values; `rng` goes on where absent.
    expression : (float, float)
        Factor and shift of the table of expression.
    """
    drawn = rng if patients is None else patients
    families = _families()
    genes = _genes(families, rng)
    carried = latents.reindex(columns=genes["factor"], fill_value=0.0).to_numpy()
    shape = carried.shape

    def signal(kind: str) -> NDArray[np.float64]:
        return np.asarray(carried * genes[f"loading_{kind}"].to_numpy())

    rna = signal("rna") + drawn.normal(0, RNA_NOISE, shape)
    cnv = np.clip(np.rint(signal("cnv") + drawn.normal(0, CNV_NOISE, shape)), -2, 2).astype(int)
    snv = (drawn.uniform(size=shape) < 1 / (1 + np.exp(-SNV_BASELINE - signal("snv")))).astype(int)
    names = list(genes["gene"])
    tables = {"rna": (rna * expression[0] + expression[1]).round(4), "cnv": cnv, "snv": snv}
    return Omics(
        **{kind: pd.DataFrame(values, columns=names) for kind, values in tables.items()},
        families=families,
        genes=genes,
    )


def _families() -> dict[str, tuple[str, ...]]:
    families: dict[str, tuple[str, ...]] = {}
    before: tuple[str, ...] = ()
    count = 0
    for name, size in FAMILY_SIZES.items():
        own = size - min(BORROWED, len(before))
        fresh = tuple(f"SYN{number:03d}" for number in range(count + 1, count + own + 1))
        families[name] = before[-BORROWED:] + fresh
        before, count = fresh, count + own
    return families


def _genes(families: dict[str, tuple[str, ...]], rng: np.random.Generator) -> pd.DataFrame:
    members: dict[str, list[str]] = {}
    for family, names in families.items():
        for gene in names:
            members.setdefault(gene, []).append(family)
    factor = dict.fromkeys(members, "")
    loading = {kind: dict.fromkeys(members, 0.0) for kind in ("rna", "cnv", "snv")}
    for latent, homes in CARRIERS.items():
        for family in homes:
            own = [gene for gene in families[family] if members[gene] == [family]]
            for rank, gene in enumerate(rng.choice(own, len(families[family]) // 3, replace=False)):
                sign = rng.choice((-1.0, 1.0))
                factor[gene] = latent
                loading["rna"][gene] = sign * round(rng.uniform(0.6, 1.0), 3)
                loading["cnv"][gene] = sign * 0.8 if rank % 2 == 0 else 0.0
                loading["snv"][gene] = sign * 1.5 if rank % 4 == 0 else 0.0
    return pd.DataFrame(
        {
            "gene": list(members),
            "families": [";".join(names) for names in members.values()],
            "factor": list(factor.values()),
            **{f"loading_{kind}": list(values.values()) for kind, values in loading.items()},
        }
    )
