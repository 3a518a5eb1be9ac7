"""The genomics stage: omics tables and families in, one file of family matrices out."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ccl.config.sections import OMICS_SUFFIXES, GenomicsSettings
from ccl.genomics.gmt import read_gmt
from ccl.genomics.tables import read_omics
from ccl.io.errors import InputError
from ccl.io.files import identified
from ccl.io.formats import Family, Genomics


def group_genomics(out: Path, *, settings: GenomicsSettings, tables: Mapping[str, Path], gmt: Path) -> None:
    """Write the omics of all patients by gene family (``genomics.h5``), unscaled.

    A family holds the columns of its genes in any of the kinds at hand, sorted by name; a gene of several
    families is in each.  Scaling is left to training, which alone knows the training patients.

    Raises
    ------
    InputError, ConfigError
        As :func:`read_omics` and :func:`read_gmt` say; or a family has no column in the tables.
    """
    genes = read_gmt(gmt, settings.families)
    table = read_omics(tables, settings, {gene for members in genes.values() for gene in members})
    known = set(table.columns)
    groups = []
    for name, members in genes.items():
        columns = tuple(sorted(c for gene in members for s in OMICS_SUFFIXES.values() if (c := gene + s) in known))
        if not columns:
            raise InputError(
                "a gene family has no column in the omics tables",
                where=f"{gmt}, family {name}",
                found=f"genes such as {', '.join(members[:4])}; columns such as {', '.join(sorted(known)[:4])}",
                expected="at least one gene of the family in the tables",
                todo="use the same gene symbols in both, or name the families to use in `genomics: families`",
            )
        groups.append(Family(name, columns, table[list(columns)].to_numpy(dtype=np.float32)))
        print(f"{name}: {len(columns)} columns of {len(members)} genes", file=sys.stderr)
    inputs = {kind: identified([path]) for kind, path in {**tables, "gmt": gmt}.items()}
    Genomics(tuple(map(str, table.index)), tuple(groups), inputs).write(out)
