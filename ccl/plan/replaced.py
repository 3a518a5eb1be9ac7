"""Inputs that were replaced by files of an older date, as by ``cp -p`` and ``rsync -a``.

Snakemake compares dates and does not notice them.  The stages record the content of what they read, so content decides.
The time of the last change of a file's entry on the disk (ctime) tells cheaply which files have to be read for that.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccl.io.checksums import sha256
from ccl.io.errors import InputError
from ccl.io.files import read_json
from ccl.plan.cohorts import Cohort

if TYPE_CHECKING:
    from ccl.plan.plan import Plan


def check_replaced(plan: Plan) -> None:
    """Raise an error for tables and weights whose content is not that of the results, and whose date hides it.

    Slides are not read here, as there may be thousands; ``embed`` compares each with the slide that was outlined.

    Raises
    ------
    InputError
        There are such files; the message says how to make Snakemake notice them.
    """
    results = Path(plan.config.results)
    found = [path for cohort in plan.cohorts.values() for path in _replaced(cohort, results / cohort.name)]
    if found:
        raise InputError(
            "inputs were replaced by files of an older date, which Snakemake does not notice",
            found=", ".join(dict.fromkeys(found)),
            expected="the files that the results were made from, or files of a newer date",
            todo=f"to use the new files: touch {shlex.join(dict.fromkeys(found))}",
        )


def _replaced(cohort: Cohort, folder: Path) -> Iterator[str]:
    given = {name: cohort.table(name) for name in ("patients", "endpoint_table", "slides", "held_out")} | {
        "folds": cohort.fold_files
    }
    omics = {**cohort.omics, "gmt": cohort.gmt}
    yield from _different(folder / "cohort" / "summary.json", given)
    yield from _different(folder / "genomics" / "genomics.h5", omics)
    yield from _different(folder / "clinical" / "covariates.json", {"table": cohort.clinical_table})
    for name in cohort.vectors:
        path = cohort.vector_path(name)
        tables = [path] if path and Path(path).is_file() else []
        yield from _different(folder / "vectors" / name / "vectors.h5", {"vectors": tables})
    for encoder in cohort.encoders if cohort.entry.reads_slides else ():
        path = cohort.config.weights_file(encoder)
        for manifest in sorted((folder / "embed" / encoder / "manifests").glob("*.tsv")) if path else ():
            if path and _is_hidden_by_date(Path(path), manifest) and (known := _weights(manifest)):
                yield from [path] if f"file:{sha256(Path(path))}" not in known else []


def _different(record: Path, files: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the files whose content is not the one that a stage recorded."""
    hidden = {name: [path for path in paths if _is_hidden_by_date(Path(path), record)] for name, paths in files.items()}
    if not any(hidden.values()):
        return
    from ccl.io.formats import stored_inputs  # imports pandas, which planning usually does without

    inputs: Mapping[str, Any] = stored_inputs(record) if record.suffix == ".h5" else read_json(record).get("inputs", {})
    for name, paths in hidden.items():
        known = {each["sha256"] for each in inputs.get(name, ())}
        yield from (path for path in paths if known and sha256(Path(path)) not in known)


def _is_hidden_by_date(path: Path, record: Path) -> bool:
    """Return whether a file came to its place after `record` was written, with an older date."""
    if not path.is_file() or not record.is_file():
        return False
    made, about = record.stat().st_mtime_ns, path.stat()
    return about.st_mtime_ns <= made < about.st_ctime_ns


def _weights(manifest: Path) -> set[str]:
    """Return the weights of the features that a manifest lists; those of a slide are those of all."""
    from ccl.io.formats import FeaturesHead, read_manifest  # imports pandas, which planning usually does without

    rows = [row for row in read_manifest(manifest) if row.status == "ok" and row.path.exists()]
    return {FeaturesHead.read(rows[0].path).weights} if rows else set()
