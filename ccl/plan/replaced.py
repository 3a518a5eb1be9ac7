"""Inputs that were replaced by files of an older date, as by ``cp -p`` and ``rsync -a``.

Snakemake compares dates and does not notice them.  The stages record the content of what they read, so content decides.
The time of the last change of a file's entry on the disk (ctime) tells cheaply which files have to be read for that.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccl.io.checksums import sha256
from ccl.io.errors import InputError, MachineError
from ccl.io.files import digest, read_json, write_json
from ccl.io.sheets import Slide
from ccl.plan.cohorts import Cohort

if TYPE_CHECKING:
    from ccl.plan.plan import Plan

SAME_SLIDES = Path(".snakemake/ccl-slides.json")
"""Note in the working folder of slides that were compared with their outlines, and are the same."""


def check_replaced(plan: Plan) -> None:
    """Raise an error for inputs whose content is not that of the results, and whose date hides it.

    Slides are only read if their dates say that they came to their places after they were outlined.  Those that turn
    out to be the same are noted (:data:`SAME_SLIDES`), so that a folder that was moved is compared only once.

    Raises
    ------
    InputError
        There are such files; the message says how to make Snakemake notice them.
    """
    results = Path(plan.config.results)
    found = [path for cohort in plan.cohorts.values() for path in _replaced(cohort, results / cohort.name)]
    found += _replaced_slides([(cohort, results / cohort.name) for cohort in plan.cohorts.values()])
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
        for manifest in sorted((folder / "embed" / encoder / "manifests").glob("[!.]*.tsv")) if path else ():
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


def _replaced_slides(cohorts: Sequence[tuple[Cohort, Path]]) -> list[str]:
    """Return the slides that are not those that were outlined, and have an older date than their outlines."""
    noted = _noted()
    same, other = {}, []
    for cohort, folder in cohorts:
        for shard, slides in cohort.shards.items() if cohort.entry.reads_slides else ():
            made = _time(folder / "tissue" / "manifests" / f"{shard}.tsv")
            for slide in slides if made else ():
                state = [_state(path) for path in _files(slide)]
                if not any(changed <= made < placed for _, changed, placed in state):
                    continue
                # Imports that planning usually does without.
                from ccl.wsi.reader.opening import slide_fingerprint
                from ccl.wsi.tissue.outlines import outlined_content

                outlined = outlined_content(folder / "tissue", slide.slide_id)
                note = digest(state, outlined)
                if outlined and noted.get(str(slide.path)) != note and slide_fingerprint(slide) != outlined:
                    other.append(str(slide.path))
                else:
                    same[str(slide.path)] = note
    if same != noted and SAME_SLIDES.parent.is_dir():
        with suppress(MachineError):  # it only saves time
            write_json(SAME_SLIDES, same)
    return other


def _noted() -> dict[str, str]:
    try:
        return dict(json.loads(SAME_SLIDES.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _files(slide: Slide) -> Iterator[Path]:
    """Yield the file of a slide, or its folder and the files in it; a MIRAX slide has both."""
    yield slide.path
    folder = slide.path.with_suffix("") if slide.path.suffix.lower() == ".mrxs" else slide.path
    if not folder.is_file():
        yield from sorted(folder.rglob("*"))


def _is_hidden_by_date(path: Path, record: Path) -> bool:
    """Return whether a file came to its place after `record` was written, with an older date."""
    made, (_, changed, placed) = _time(record), _state(path)
    return bool(made) and changed <= made < placed


def _time(path: Path) -> int:
    """Return when a file was written, in ns; 0 if there is none."""
    return path.stat().st_mtime_ns if path.is_file() else 0


def _state(path: Path) -> tuple[int, int, int]:
    """Return the size of a file, its date, and when it or the link to it came to its place, in ns; 0 without a file."""
    try:
        about, link = path.stat(), path.lstat()
    except OSError:
        return 0, 0, 0
    return about.st_size, about.st_mtime_ns, max(about.st_ctime_ns, link.st_ctime_ns)


def _weights(manifest: Path) -> set[str]:
    """Return the weights of the features that a manifest lists; those of a slide are those of all."""
    from ccl.io.formats import FeaturesHead, read_manifest  # imports pandas, which planning usually does without

    rows = [row for row in read_manifest(manifest) if row.status == "ok" and row.path.exists()]
    return {FeaturesHead.read(rows[0].path).weights} if rows else set()
