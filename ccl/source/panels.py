"""Gene panels of cBioPortal: a gene that a sample's panel does not contain was not looked at.

docs.cbioportal.org, "File Formats", sections "Gene Panel Data" and "Gene Panels".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ccl.io.errors import InputError
from ccl.source.account import Account
from ccl.source.matrix import Matrix
from ccl.source.text import read_keys, read_records

WHOLE = frozenset(("", "NA", "WES", "WXS", "WGS"))
"""Words in the place of a panel for a sample whose whole exome or genome was sequenced."""

SAMPLE = "SAMPLE_ID"


def find_panels(folder: Path) -> list[Path]:
    """Return the files of gene panels in a study, or in its folder ``gene_panels``."""
    paths = [*folder.glob("*gene_panel*.txt"), *(folder / "gene_panels").glob("*.txt")]
    return sorted(path for path in paths if "gene_list" in read_keys(path))


def panels_of(path: Path, profile: str) -> dict[str, str]:
    """Return the panel of each sample in a profile such as ``mutations``, without samples that have none.

    Parameters
    ----------
    path : Path
        ``data_gene_panel_matrix.txt``.
    profile : str
        The ``stable_id`` of the table of mutations or copy numbers, which is a column of the file.
    """
    _, rows = read_records(path, required=(SAMPLE,))
    found = {row.get(SAMPLE, ""): row.get(profile, "") for row in rows}
    return {sample: panel for sample, panel in found.items() if panel.upper() not in WHOLE}


def read_panels(paths: Sequence[Path]) -> dict[str, frozenset[str]]:
    """Return the genes of each panel."""
    keys = [read_keys(path) for path in paths]
    return {own.get("stable_id", ""): frozenset(own["gene_list"].split()) for own in keys}


def only_profiled(
    kind: str, matrix: Matrix, panel_of: Mapping[str, str], files: Sequence[Path], account: Account
) -> Matrix:
    """Return a matrix in which a 0 of a gene that the sample's panel does not contain is missing.

    An alteration that the table reports stays.

    Parameters
    ----------
    panel_of : mapping
        The panel of each sample that has one.
    files : sequence of Path
        The files of the panels.

    Raises
    ------
    InputError
        There is no file for a panel.
    """
    used = {name: panel_of[name] for name in matrix.samples if name in panel_of}
    panels = read_panels(files)
    unknown = sorted(set(used.values()) - set(panels))
    if unknown:
        raise InputError(
            "a gene panel is not described",
            where=f"{Path(matrix.origin).parent}, sample {next(s for s, panel in used.items() if panel == unknown[0])}",
            found=f"{unknown[0]}; files of {', '.join(panels) or 'no panel'}",
            expected="a file with `stable_id` and `gene_list` for each panel that data_gene_panel_matrix.txt names",
            todo="copy it from reference_data/gene_panels of the datahub into the folder of the study",
        )
    values = matrix.values.copy()
    for panel in sorted(set(used.values())):
        columns = [at for at, name in enumerate(matrix.samples) if used.get(name) == panel]
        rows = [at for at, gene in enumerate(matrix.genes) if gene not in panels[panel]]
        places = np.ix_(rows, columns)
        values[places] = np.where(values[places] == 0, np.nan, values[places])
        account.tell(kind, **{f"panel {panel}": f"{len(columns)} samples, {len(panels[panel])} genes"})
    return replace(matrix, values=values)
