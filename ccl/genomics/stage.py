"""The genomics stage: omics tables and families in, one file of family matrices and its coverage out."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ccl.config.keys import recorded
from ccl.config.sections import GenomicsSettings
from ccl.genomics import VERSION
from ccl.genomics.aliases import read_aliases
from ccl.genomics.coverage import check_tables, choose_covered, coverage_table, measure, use, warnings
from ccl.genomics.gmt import choose, read_families
from ccl.genomics.tables import open_omics
from ccl.io.files import identified, write_json, write_table
from ccl.io.formats import COVERAGE, Family, Genomics
from ccl.io.origin import record


def group_genomics(
    out: Path,
    *,
    settings: GenomicsSettings,
    tables: Mapping[str, Path],
    gmt: Sequence[Path],
    aliases: Path | None = None,
) -> None:
    """Write the omics of all patients by gene family (``genomics.h5``), unscaled, and beside it their coverage.

    A family holds the columns of its genes in any of the kinds at hand, sorted by name; a gene of several
    families is in each.  Scaling is left to training, which alone knows the training patients.

    Parameters
    ----------
    tables : mapping
        The omics tables, as :func:`open_omics` takes them.
    gmt : sequence of Path
        Files of gene families.
    aliases : Path, optional
        Table of old and new symbols, for genes that a table has under another symbol.

    Raises
    ------
    InputError, ConfigError
        As :func:`open_omics`, :func:`read_families`, :func:`check_tables` and :func:`choose_covered` say.
    """
    families = read_families(gmt)
    chosen = choose(families, settings.families)
    omics = open_omics(tables, settings)
    every = measure(families, omics.columns, read_aliases(aliases) if aliases else {})
    check_tables(use(tables, omics.columns, every), every)
    measured = [family for name in chosen for family in every if family.name == name]
    used = use(tables, omics.columns, measured)
    _say([*used, *measured])
    kept, low = choose_covered(measured, used, settings)
    notes = warnings(measured, low, used)
    _say(f"careful: {note}" for note in notes)
    table = omics.take(sorted({column for one in kept for column in one.sources.values()}))
    groups = [
        Family(one.name, tuple(one.sources), table[list(one.sources.values())].to_numpy(dtype=np.float32))
        for one in kept
    ]
    files = {
        **{kind: [path] for kind, path in tables.items()},
        "gmt": gmt,
        **({"aliases": [aliases]} if aliases else {}),
    }
    inputs = {kind: identified(paths) for kind, paths in files.items()}
    write_table(out.parent / f"{COVERAGE}.csv", coverage_table(measured, low), checksum=True)
    write_json(out.parent / f"{COVERAGE}.json", {"tables": [one.row for one in used], "warnings": notes}, checksum=True)
    Genomics(tuple(map(str, table.index)), tuple(groups), inputs).write(out)
    made = [out, *(out.parent / f"{COVERAGE}.{suffix}" for suffix in ("csv", "json"))]
    record("genomics", VERSION, outputs=made, inputs=files, settings=recorded(settings))


def _say(lines: Iterable[object]) -> None:
    for line in lines:
        print(line, file=sys.stderr)
