"""Checks that everything a run needs is available; each check gives one finding, with advice if it fails."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any, Literal

from packaging.requirements import Requirement

from ccl.config import cohort_sections
from ccl.config.check import check_config, read_config
from ccl.config.keys import keys_of
from ccl.io.errors import CclError, ConfigError
from ccl.pages.numbers import plural
from ccl.plan import Plan, make_plan
from ccl.plan.cohorts import Cohort
from ccl.wsi.encoders.published import patches_in_words

GB = 1e9
LITTLE_DISK_GB, NO_DISK_GB = 50, 1
LITTLE_GPU_GB = 8
REINSTALL = "install ccl again (in a checkout: `make install`)"


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    state: Literal["ok", "warn", "fail"]
    what: str
    found: str
    todo: str = ""

    def __str__(self) -> str:
        """Return the finding on one line."""
        return f"{self.state:<5} {self.what}: {self.found}" + (f"; {self.todo}" if self.todo else "")


def examine(config: Path | None, *, fetch: bool = False, profile: str | None = None) -> Iterator[Finding]:
    """Check the installation, and the `config` and the weights of its encoders if given.

    No slide is opened.

    Parameters
    ----------
    config : Path
        The config to check, if any.
    fetch : bool
        Whether to download missing weights; otherwise nothing is downloaded.
    profile : str
        The workflow profile of the run, to check that the cluster has the resources of its jobs.
    """
    checks = {"python": python, "packages": packages, "torch": torch_and_gpu, "openslide": openslide, "jpeg": jpeg}
    for what, check in checks.items():
        yield _guarded(what, check)
    if config is None:
        yield _guarded("disk", lambda: disk(Path("results")))
        return
    try:
        values = read_config(config)
    except CclError as error:
        yield Finding("fail", "config", error.line)
        return
    yield _guarded("disk", lambda: disk(Path(str(values.get("results", "results")))))
    planned = _guarded("config", lambda: plannable(config, values))
    yield planned
    yield from _encoders(values, fetch)
    if planned.state == "ok":
        made = make_plan(values, [config])
        yield from tilings(made)
        for cohort in made.cohorts.values():
            yield from slides(cohort)
            yield from covariates(cohort)
            yield from downloads(cohort)
        if profile:
            yield from cluster(config, profile)


def _guarded(what: str, check: Callable[[], Finding]) -> Finding:
    """Return the finding of a check; an error of the check is a finding as well."""
    try:
        return check()
    except CclError as error:
        return Finding("fail", what, error.line)
    except Exception as error:  # a broken installation can raise any error
        found = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        return Finding("fail", what, found, REINSTALL)


def python() -> Finding:
    """Report the interpreter."""
    return Finding("ok", "python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def packages() -> Finding:
    """Compare the installed packages with those that ccl requires."""
    wanted = [Requirement(text) for text in requires("ccl-survival") or [] if "extra ==" not in text]
    wrong = []
    for requirement in wanted:
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            wrong.append(f"{requirement} is not installed")
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            wrong.append(f"{requirement} is wanted, {found} is installed")
    if wrong:
        return Finding("fail", "packages", "; ".join(wrong), REINSTALL)
    return Finding("ok", "packages", f"all {len(wanted)} that ccl {version('ccl-survival')} requires")


def torch_and_gpu() -> Finding:
    """Compute something, on the GPU if there is one."""
    import torch

    if not torch.cuda.is_available():
        built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built for CPU only"
        return Finding("ok", "torch", f"{torch.__version__} ({built}), no GPU: `device: cuda` would fail here")
    free, whole = torch.cuda.mem_get_info()
    if float(torch.ones(8, device="cuda").sum()) != 8:
        return Finding("fail", "torch", f"{torch.cuda.get_device_name()} computes wrong sums", "check the driver")
    found = f"{torch.__version__}, {torch.cuda.get_device_name()}, {free / GB:.0f} of {whole / GB:.0f} GB free"
    if free < LITTLE_GPU_GB * GB:
        return Finding("warn", "torch", found, "large encoders need more; see what else runs there")
    return Finding("ok", "torch", found)


def openslide() -> Finding:
    """Load OpenSlide's library."""
    import openslide

    return Finding("ok", "openslide", f"library {openslide.__library_version__}, python {openslide.__version__}")


def jpeg() -> Finding:
    """Encode and decode a picture."""
    import numpy as np
    import simplejpeg

    picture = np.full((16, 16, 3), 100, np.uint8)
    decoded = simplejpeg.decode_jpeg(simplejpeg.encode_jpeg(picture, quality=95))
    if np.abs(decoded.astype(int) - 100).max() > 3:
        return Finding("fail", "jpeg", "a picture came back changed", REINSTALL)
    return Finding("ok", "jpeg", f"simplejpeg {version('simplejpeg')}")


def disk(results: Path) -> Finding:
    """Check the free space for the results."""
    folder = results.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / GB
    found = f"{free:.0f} GB free at {folder}"
    if not os.access(folder, os.W_OK):
        return Finding("fail", "disk", f"{folder} cannot be written to", "set `results:` to another folder")
    if free < NO_DISK_GB:
        return Finding("fail", "disk", found, "make room, or set `results:` to another disk")
    if free < LITTLE_DISK_GB:
        return Finding("warn", "disk", found, "a slide's features of width 1,024 in float32 take some 60 MB")
    return Finding("ok", "disk", found)


def plannable(config: Path, values: Mapping[str, Any]) -> Finding:
    """Check a config and the tables and sheets that it names, as a run would before its first job."""
    made = make_plan(values, [config])
    return Finding("ok", "config", f"{config}: {len(made.cohorts)} cohorts, {len(made.runs)} models to train")


def tilings(made: Plan) -> Iterator[Finding]:
    """Say which patches each encoder reads; warn if they are not its published ones."""
    if not any(cohort.entry.reads_slides for cohort in made.cohorts.values()):
        return
    for entry, tiling in made.tilings.of.items():
        words = patches_in_words(tiling.values["patch_size"], tiling.values["mpp"], *tiling.values["also_mpp"])
        departs, what = tiling.departs(made.config.encoder(entry)), f"patches {entry}"
        if departs:
            yield Finding("warn", what, f"{departs}, in {tiling.folder}", "the report labels the results")
        else:
            yield Finding("ok", what, f"{words}, in {tiling.folder}")


def slides(cohort: Cohort) -> Iterator[Finding]:
    """Look for the slides of a cohort whose slides are read."""
    if not cohort.entry.reads_slides:
        return
    missing, what = cohort.missing_slides, f"slides {cohort.name}"
    if missing:
        found = (
            f"{len(missing)} of {len(cohort.slides)} do not exist, such as {missing[0].slide_id} ({missing[0].path})"
        )
        yield Finding("fail", what, found, "correct the sample sheet, or copy them to where it says")
    else:
        yield Finding("ok", what, plural(len(cohort.slides), "slide"))


def covariates(cohort: Cohort) -> Iterator[Finding]:
    """Read the clinical table of a cohort; name each value that the config does not name."""
    from ccl.clinical.checks import check_names
    from ccl.clinical.table import listed, read_clinical, unnamed_values
    from ccl.cohort.patients import read_patients

    clinical, entry, what = cohort.entry.clinical, cohort.entry, f"clinical {cohort.name}"
    if clinical is None:
        return
    (table,) = map(cohort.located, cohort.clinical_table)
    if not table.exists():
        yield Finding("ok", what, f"the run will make {table}")
        return
    columns = {name: getattr(entry, name) for name in keys_of(cohort_sections.FollowUpColumns)}
    column = clinical.patient_column or entry.patient_column
    try:
        check_names(clinical, (entry.months_column, entry.censorship_column))
        patients = None
        for path in cohort.table("patients"):
            patients = set(read_patients(Path(path), cohort_sections.CohortSettings(**columns))["patient_id"])
        unnamed = unnamed_values(table, clinical, patient_column=column, patients=patients)
        for name, values in unnamed.items():
            todo = f"add them to `levels` or `missing` of `clinical: covariates: {name}`"
            yield Finding("fail", what, f"{name}: values that the config does not name: {listed(values)}", todo)
        if not unnamed:
            read = read_clinical(table, clinical, patient_column=column, patients=patients)
            yield Finding("ok", what, f"{plural(read.shape[1], 'covariate')} of {plural(len(read), 'patient')}")
    except CclError as error:
        yield Finding("fail", what, error.line)


def downloads(cohort: Cohort) -> Iterator[Finding]:
    """Check that the disk has room for the slides of a cohort that are still to be downloaded."""
    if not cohort.downloads:
        return
    from ccl.wsi.download.fetch import missing_bytes
    from ccl.wsi.download.stage import check_space

    what = f"download {cohort.name}"
    paths = {slide.slide_id: slide.path for slide in cohort.slides}
    files = [(file, paths[name]) for name, file in cohort.downloads.items()]
    lacking = [size for file, path in files if (size := missing_bytes(file, path))]
    try:
        check_space(files)
    except CclError as error:
        yield Finding("fail", what, error.line)
        return
    yield Finding(
        "ok", what, f"{len(lacking)} of {plural(len(files), 'slide')} not there yet, {sum(lacking) / GB:.1f} GB"
    )


def cluster(config: Path, profile: str) -> Iterator[Finding]:
    """Check that jobs can be submitted, and that a SLURM cluster has the resources that they ask for."""
    from ccl.scheduler import problems, read_profile

    try:
        executor = read_profile(profile)[1].get("executor", "local")
        if " " in sys.executable and executor != "local":
            todo = "Snakemake cannot submit it: install into a folder without a space"
            yield Finding("fail", "cluster", f"the path of {sys.executable} has a space", todo)
        if executor != "slurm":
            yield Finding("warn", "cluster", f"executor {executor}", "only SLURM clusters can be checked")
            return
        found = [Finding("fail", "cluster", wrong, todo) for wrong, todo in problems(config, profile)]
    except CclError as error:
        found = [Finding("fail", "cluster", error.line)]
    yield from found or [Finding("ok", "cluster", "each job fits into a partition")]


def _encoders(values: Mapping[str, Any], fetch: bool) -> Iterator[Finding]:
    """Check the weights of the encoders that a cohort with slides will need."""
    try:
        config = check_config(values)
    except ConfigError:
        return  # reported by `plannable`
    if any(cohort.reads_slides for cohort in config.cohorts.values()):
        for name, entry in config.embed.encoders.items():
            path = config.weights_file(name) or entry.weights
            check = partial(encoder_weights, config.encoder(name), path, entry.sha256, fetch=fetch, entry=name)
            yield _guarded(f"encoder {name}", check)


def encoder_weights(
    name: str, weights: str = "hub", sha256: str | None = None, *, fetch: bool = False, entry: str | None = None
) -> Finding:
    """Look for an encoder's weights; with `fetch`, download missing ones from the hub.

    Parameters
    ----------
    entry : str, optional
        Name of the encoder in the config, if it has another one there.
    """
    from ccl.wsi.encoders import check_source, get_encoder
    from ccl.wsi.encoders.hub import cached, download, grant
    from ccl.wsi.encoders.weights import weights_key

    entry = entry or name
    what = f"encoder {entry}"
    check_source(name, weights)
    if weights == "random":
        return Finding("warn", what, "random weights", "use them only to try things out; every output is marked")
    if weights != "hub":
        return Finding("ok", what, f"{weights}, {weights_key(weights, sha256)}")
    encoder = get_encoder(name)
    path = cached(encoder) or (download(encoder) if fetch else None)
    if path:
        return Finding("ok", what, f"{encoder.repo} in the hub's cache, {path.stat().st_size / GB:.1f} GB")
    from huggingface_hub import constants, get_token

    by_hand = f"or download it from {encoder.page} and set `embed: encoders: {entry}: weights:` to its path"
    if constants.HF_HUB_OFFLINE:
        return Finding(
            "fail", what, f"{encoder.repo} is not in the hub's cache, and HF_HUB_OFFLINE is set", by_hand[3:]
        )
    if encoder.access == "gated" and not get_token():
        return Finding("fail", what, f"{encoder.repo} is gated, and there is no token", f"{grant(encoder)}; {by_hand}")
    todo = "it will be downloaded at its first use"
    if encoder.access == "gated":
        todo += f"; the account must have accepted the licence at {encoder.page}"
    return Finding("warn", what, f"{encoder.repo} is not in the hub's cache", todo)
