"""Every key of the config, once: type, default, limits, unit and meaning.

The fields of a ``...Settings`` class are the options of a stage's command, and are recorded in the key of its results.
If a section of the config also has keys for how a job uses the machine, its class extends the settings.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from annotated_types import Ge, Gt, MinLen
from pydantic import BeforeValidator, model_validator
from pydantic_core import PydanticCustomError

from ccl.config.keys import LATER, REQUIRED, Different, Name, Text, key, keys_of, section, subsection
from ccl.io.sheets import OnBadSlide

Device = Literal["auto", "cpu", "cuda"]
Expression = Literal["as-is", "z-score", "quantiles"]
Track = Literal["unified", "native"]


def _as_list(value: Any) -> Any:
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


Texts = Annotated[
    tuple[Text, ...], MinLen(1), Different, BeforeValidator(_as_list, json_schema_input_type=str | list[str])
]
"""One or several paths; a config may write a single one without a list."""


@section
class PatientColumn:
    """The column of the patient's name."""

    patient_column: str = key("patient_id", "column with the patient's name, in this table and in the omics tables")


@section
class FollowUpColumns(PatientColumn):
    """The columns of the table of patients."""

    months_column: str = key("months", "column of the follow-up in months")
    censorship_column: str = key(
        "censorship", "column of the censorship; 1 if the patient was censored, 0 if death was observed"
    )
    endpoint: Annotated[Text | None, LATER] = key(
        None,
        "endpoint, such as OS, DSS, PFI or DFI, whose event is read instead of the censorship, from the columns OS and"
        " OS.time; patients without it are left out",
    )
    event_column: Annotated[str | None, LATER] = key(
        None, "column of the endpoint's event (1 or Dead; 0 or Alive); where absent, the endpoint's name"
    )
    time_column: Annotated[str | None, LATER] = key(
        None, "column of the endpoint's time; where absent, the endpoint's name with `.time`"
    )
    time_unit: Annotated[Literal["months", "days"], LATER] = key(
        "months", "unit of the column of time; a month is 365.25 / 12 days"
    )
    endpoint_patient_column: Annotated[str | None, LATER] = key(
        None, "column that names the patient in `endpoint_table`; where absent, `patient_column`"
    )
    landmark_months: Annotated[float, LATER] = key(
        0.0,
        "start of the follow-up after so many months; who died or was censored up to then is left out (months)",
        ge=0,
    )
    site: Annotated[Text | None, LATER] = key(
        None,
        "column of the table of patients that names the hospital, or tcga-barcode for the second field of the"
        " patient's name",
    )


@section
class FoldDraw:
    """``cohort``: how folds are drawn if none are given."""

    n_folds: int = key(5, "folds to draw for a cohort without a `folds` folder, stratified by censorship", ge=2)
    fold_seed: int = key(0, "seed of this draw", ge=0)
    repeats: Annotated[int, LATER] = key(1, "how often the folds are drawn; n_folds times repeats are trained", ge=1)
    stratify: Annotated[Literal["censorship", "time"], LATER] = key(
        "censorship", "what is alike in all folds; time adds quarters of the follow-up, of events and of the others"
    )
    by: Annotated[Literal["patient", "site"], LATER] = key(
        "patient",
        "what is drawn; site keeps the patients of a hospital on one side of each fold, with similar numbers of"
        " patients and events in the folds",
    )
    held_out_share: Annotated[float, LATER] = key(
        0.0,
        "share of the patients that is drawn first and is in no fold, for a later validation, for cohorts without"
        " `held_out`; with `by: site` whole hospitals are drawn",
        ge=0,
        lt=1,
    )

    @model_validator(mode="after")
    def _alike(self) -> FoldDraw:
        if self.by == "site" and self.stratify == "time":
            raise PydanticCustomError("incomplete", "`by: site` balances events and size; take `stratify: time` out")
        return self


@section
class Label:
    """Whether a cohort is synthetic."""

    synthetic: bool = key(False, "true labels all results of this cohort as synthetic")


@section
class Purpose:
    """Whether models are trained on a cohort."""

    external: Annotated[bool, LATER] = key(
        False,
        "true for a cohort that only validates bundles: no model is trained on it, and no folds are drawn; needs"
        " `predict_with`",
    )


@section
class CohortSettings(Purpose, Label, FoldDraw, FollowUpColumns):
    """How the user's tables are read, and how folds are drawn if none are given."""


def _omics_table(what: str, suffix: str) -> Any:
    """Declare a kind of omics: what it measures, and the ending of its columns in a wide table."""
    help = f"table of {what}, a column for each gene; GENE{suffix} in a wide table"
    return key(None, help, json_schema_extra={"suffix": suffix})


@section
class Omics:
    """``omics`` of a cohort: one wide table, or a table for each kind of omics."""

    wide: Text | None = key(None, "one table of several kinds, a column for each gene and kind")
    rna: Text | None = _omics_table("expression", "_rnaseq")
    cnv: Text | None = _omics_table("copy numbers", "_cnv")
    snv: Text | None = _omics_table("mutations", "_mut")

    @model_validator(mode="after")
    def _some(self) -> Omics:
        if not any(asdict(self).values()):
            raise PydanticCustomError("incomplete", f"name one or more of {', '.join(keys_of(Omics))}")
        return self


OMICS_SUFFIXES = {
    kind: str(info.json_schema_extra["suffix"])
    for kind, info in keys_of(Omics).items()
    if isinstance(info.json_schema_extra, dict)
}
"""The ending of the columns of each kind of omics in a wide table and in results, as in MCAT and PORPOISE."""


MISSING = (
    "NA", "N/A", "nan", "[Not Available]", "[Not Applicable]", "[Not Evaluated]", "[Unknown]", "[Discrepancy]", "'--",
)  # fmt: skip
"""Words for a missing value in the tables of TCGA and GDC."""


def _as_text(value: Any) -> str:
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    raise PydanticCustomError(
        "incomplete",
        "{found} is neither text nor a whole number; write it in quotes (YAML reads a bare yes as true)",
        {"found": json.dumps(value)},
    )


Value = Annotated[str, BeforeValidator(_as_text, json_schema_input_type=str | int)]
"""A value of a table, as text; YAML may give a whole number."""


def _as_level(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


Level = Annotated[tuple[Value, ...], BeforeValidator(_as_level, json_schema_input_type=str | int | list[str | int])]
"""The values of one level; a config may write a single one without a list."""


@section
class Covariate:
    """``clinical: covariates: <name>``: one fact about a patient, such as age or stage."""

    kind: Literal["numeric", "ordinal", "categorical"] = key(
        REQUIRED,
        "numeric is a number; ordinal has levels in order, coded 1, 2, 3, ...; categorical has levels without order,"
        " coded against the first",
    )
    columns: tuple[Text, ...] = key(
        (), "columns of the table, of which the first with a value counts; empty takes the covariate's name"
    )
    levels: tuple[Level, ...] = key(
        (),
        "values of an ordinal or categorical covariate; a list in the list holds the values of one level, named by its"
        " first",
    )
    missing: tuple[Value, ...] = key((), "values that mean missing, beside those of `clinical: missing`")
    indicator: bool = key(False, "true adds a column that is 1 where the value is missing")
    unit: str = key("", "unit, for tables and pages")

    @model_validator(mode="after")
    def _consistent(self) -> Covariate:
        if (self.kind == "numeric") == bool(self.levels):
            raise PydanticCustomError(
                "incomplete", "an ordinal or categorical covariate needs `levels`; a numeric one has none"
            )
        values = [value for level in self.levels for value in level]
        if len(set(values)) < len(values) or (self.levels and len(self.levels) < 2) or () in self.levels:
            raise PydanticCustomError("incomplete", "`levels` needs two levels or more, and each value once")
        return self


@section
class Clinical:
    """``cohorts: <name>: clinical``: the covariates of a cohort."""

    table: Text | None = key(None, "table with a row per patient; where absent, the cohort's table of patients")
    patient_column: str | None = key(None, "column that names the patient; where absent, that of the cohort")
    missing: tuple[Value, ...] = key(MISSING, "values that mean missing, beside empty ones")
    covariates: dict[Name, Covariate] = key(REQUIRED, "one entry per covariate, by its name", min_length=1)

    @model_validator(mode="after")
    def _named(self) -> Clinical:
        if "patient_id" in self.covariates:
            raise PydanticCustomError("incomplete", "a covariate may not be named `patient_id`; rename it")
        return self


GDC = "https://api.gdc.cancer.gov/data/"
"""The public server of the Genomic Data Commons."""

LOCAL = ("localhost", "127.0.0.1", "::1")
"""Hosts that a token reaches without leaving the machine."""


@section
class DownloadSettings:
    """How slides are downloaded."""

    server: str = key(GDC, "address to which the id of a file is appended", pattern="^https?://")
    token: Text | None = key(
        None, "file with your token for controlled access; the token is sent to the server and written nowhere"
    )
    retries: int = key(5, "times in a row that a file is tried again without progress", ge=0)

    @model_validator(mode="after")
    def _secret(self) -> DownloadSettings:
        server = urlsplit(self.server)
        if self.token and server.scheme != "https" and server.hostname not in LOCAL:
            raise PydanticCustomError("incomplete", "a `token` is sent only to a `server` whose address is https")
        return self


@section
class Download(DownloadSettings):
    """``cohorts: <name>: download``: the slides that a run downloads if they are missing."""

    manifest: Text = key(
        REQUIRED,
        "GDC manifest with id, filename, md5 and size; its files go to the paths of the slide sheet that end in"
        " id/filename",
    )
    connections: int = key(4, "files that one job downloads at a time; each takes one of `--cores`", ge=1)


NEEDED_BESIDE = (
    ("omics", "gmt"), ("gmt", "omics"), ("features", "slides"), ("download", "slides"), ("event_column", "endpoint"),
    ("time_column", "endpoint"), ("endpoint_table", "endpoint"), ("endpoint_patient_column", "endpoint_table"),
)  # fmt: skip
"""Keys of a cohort that mean nothing without another."""


@section
class ExpressionSource:
    """``from: rna``: the table of expression."""

    table: Text | None = key(
        None,
        "which table, if there are several; cbioportal: a stable_id, gdc: a column of the STAR files (tpm_unstranded by"
        " default), xena: a file",
    )
    transform: Literal["none", "log2(x + 1)"] = key(
        "none", "what is done to each value; the z-score is left to training, which uses training patients only"
    )


@section
class CopyNumberSource:
    """``from: cnv``: the table of copy numbers."""

    table: Text | None = key(
        None,
        "which table, if there are several; cbioportal: a stable_id, gdc: a column of the files (copy_number by"
        " default), xena: a file",
    )
    transform: Literal["none", "x - 2"] = key(
        "none", "what is done to each value; x - 2 makes gains and losses of the number of copies, as GDC gives it"
    )


@section
class MutationSource:
    """``from: snv``: the table of mutations."""

    table: Text | None = key(None, "which table, if there are several; cbioportal: a stable_id, xena: a file")
    silent: bool = key(False, "true also counts variants that do not change the protein")


SOURCES = {"rna": ExpressionSource, "cnv": CopyNumberSource, "snv": MutationSource}
"""The section of each kind of omics that a download may have."""

KINDS = tuple(SOURCES)
"""The kinds of omics that a download may have."""

LAYOUTS = ("cbioportal", "gdc", "xena")
"""The layouts of downloads that can be read."""


@section
class Source:
    """``cohorts: <name>: from``: a public download."""

    cbioportal: Text | None = key(None, "folder of a cBioPortal study, with its meta_*.txt files")
    gdc: Text | None = key(None, "folder of a GDC download, with the sample sheet and clinical.tsv")
    xena: Text | None = key(None, "folder of files of a UCSC Xena hub")
    rna: ExpressionSource | None = key(
        None, "expression; where none of rna, cnv and snv is named, all kinds in the download are read"
    )
    cnv: CopyNumberSource | None = key(None, "copy numbers")
    snv: MutationSource | None = key(None, "mutations; 1 if a gene is mutated, 0 if it is not")
    clinical: Text | None = key(None, "xena: file of phenotypes, if there are several")
    survival: Text | None = key(None, "xena: file of survival, if there are several")
    genes: Text | None = key(
        None,
        "table from Ensembl ids to symbols, either HGNC's complete set or a probeMap of Xena; needed where a download"
        " has Ensembl ids only",
    )
    samples: Annotated[tuple[Literal["primary", "recurrence", "metastasis"], ...], Different] = key(
        ("primary",), "types of tumour samples that are read; the first that a patient has counts", min_length=1
    )

    @model_validator(mode="after")
    def _one_layout(self) -> Source:
        named = [layout for layout in LAYOUTS if getattr(self, layout)]
        if len(named) != 1:
            raise PydanticCustomError("incomplete", f"name the folder of one of {', '.join(LAYOUTS)}")
        for name in ("clinical", "survival"):
            if getattr(self, name) and not self.xena:
                raise PydanticCustomError("incomplete", f"`{name}` is only for `xena`; {named[0]} has its own names")
        return self

    @property
    def layout(self) -> str:
        """The layout of the download."""
        return next(layout for layout in LAYOUTS if getattr(self, layout))

    @property
    def folder(self) -> str:
        """The folder of the download."""
        return str(getattr(self, self.layout))

    @property
    def named(self) -> list[str]:
        """The kinds of omics that the config names."""
        return [kind for kind in KINDS if getattr(self, kind)]

    def table(self, kind: str) -> str | None:
        """Return the table that the config names for a kind of omics."""
        entry = getattr(self, kind)
        return entry.table if entry else None


@section
class VectorColumns:
    """The columns of a table of vectors."""

    patient_column: str = key(
        "patient_id", "column with the patient's name; without it the slide sheet says whose slide it is"
    )
    slide_column: str = key("slide_id", "column with the slide's name; without it each row is a patient")
    columns: tuple[Text, ...] = key((), "columns of the vector; empty takes all columns of numbers")


@section
class VectorSource(VectorColumns):
    """``cohorts: <name>: vectors: <name>``: where vectors come from."""

    path: Text | None = key(
        None, "folder of a file per slide or patient, as TRIDENT and STAMP write them, or a table with a row per slide"
    )
    mean_of: Name | None = key(None, "encoder of the cohort whose patches are averaged, instead of `path`")

    @model_validator(mode="after")
    def _one_source(self) -> VectorSource:
        if bool(self.path) == bool(self.mean_of):
            raise PydanticCustomError("incomplete", "name either `path` or `mean_of`")
        return self


@section
class TrainedHere:
    """``predict_with: <name>``: a bundle of a model that the same config trains."""

    cohort: Name = key(REQUIRED, "cohort that the model is trained on")
    model: Name = key(REQUIRED, "name of the model in `models`")
    encoder: Name = key("none", "encoder of the features; none for a model that reads no slides")


@section
class Cohort(Purpose, Label, FollowUpColumns):
    """``cohorts: <name>``."""

    patients: Text | None = key(None, "table with one row per patient (or slide): follow-up in months and censorship")
    from_: Source | None = key(
        None, "public download, which is read instead of `patients`, `omics` and `clinical: table`", alias="from"
    )
    predict_with: dict[Name, Text | TrainedHere] | None = key(
        None,
        "bundles that predict the risk of this cohort's patients: folders by name, where the name becomes the folder of"
        " the results, or a model of this config (`{cohort: ..., model: ..., encoder: ...}`); with follow-up, each"
        " bundle is also validated",
        min_length=1,
    )
    slides: Text | None = key(
        None,
        "sample sheet with slide_id, patient_id, path (from the sheet's folder) and optionally mpp (um/px) and"
        " annotation (also a path)",
    )
    download: Download | None = key(None, "slides to download from the GDC before they are read")
    features: dict[Name, Text] | None = key(
        None,
        "folders of feature files by encoder name, as TRIDENT, CLAM or STAMP wrote them; they are read instead of the"
        " slides",
        min_length=1,
    )
    vectors: Annotated[dict[Name, VectorSource] | None, LATER] = key(
        None,
        "slide-level vectors by name, for methods that read vectors; with the name of a known slide encoder, such as"
        " titan, the width is checked and the licence recorded",
        min_length=1,
    )
    about: Annotated[Text | None, LATER] = key(
        None,
        "whose patients these are, in a sentence or two: where, when, who was included, which scanner; shown on model"
        " cards and in validations",
    )
    endpoint_table: Annotated[Text | None, LATER] = key(
        None, "table of the endpoint; where absent, the table of `patients`, which else only lists the patients"
    )
    folds: Text | None = key(
        None,
        "folder of splits_0.csv, splits_1.csv, ... with columns train and val (or test), or the folds of Patho-Bench or"
        " MMP; without it folds are drawn",
    )
    held_out: Annotated[Text | None, LATER] = key(
        None, "table of patients, or of hospitals in a column `site`, that are in no fold, for a later validation"
    )
    omics: Omics | None = key(None, "omics tables: one wide table, or a table for each kind of omics")
    gmt: Texts | None = key(
        None, "file of gene families, or a list of several: GMT, or a .csv table with a column per family"
    )
    clinical: Clinical | None = key(None, "covariates such as age and stage, and how the table codes them")

    @property
    def reads_slides(self) -> bool:
        """Whether slides are read, and not existing features."""
        return self.slides is not None and self.features is None

    @model_validator(mode="after")
    def _whole(self) -> Cohort:
        for name, needed in NEEDED_BESIDE:
            if getattr(self, name) and not getattr(self, needed) and not (needed == "omics" and self.from_):
                raise PydanticCustomError("incomplete", f"`{name}` needs `{needed}` beside it")
        if self.download and self.features:
            raise PydanticCustomError("incomplete", "`download` has no use beside `features`, as no slide is read")
        if self.from_:
            self._check_source()
        elif self.clinical and not self.clinical.table and not self.patients:
            raise PydanticCustomError("incomplete", "`clinical` needs `table`, as there is no table of `patients`")
        if self.external and not (self.predict_with and (self.patients or self.from_)):
            raise PydanticCustomError("incomplete", "`external` needs follow-up and `predict_with` beside it")
        if self.external and (self.folds or self.held_out):
            raise PydanticCustomError("incomplete", "`external` draws no folds; take `folds` and `held_out` out")
        if not self.patients and not self.from_ and not self.predict_with:
            raise PydanticCustomError(
                "incomplete", "name the table of `patients`, a download `from`, or bundles to `predict_with`"
            )
        return self

    def _check_source(self) -> None:
        beside = [name for name in ("patients", "omics") if getattr(self, name)]
        beside += ["clinical: table"] if self.clinical and self.clinical.table else []
        beside += ["clinical: patient_column"] if self.clinical and self.clinical.patient_column else []
        beside += ["patient_column"] if self.patient_column != "patient_id" else []
        if beside:
            raise PydanticCustomError(
                "incomplete",
                f"`from` takes the place of {', '.join(f'`{name}`' for name in beside)}; name one or the other",
            )
        if self.from_ and self.from_.named and not self.gmt:
            raise PydanticCustomError("incomplete", f"`from: {self.from_.named[0]}` needs `gmt` beside `from`")
        if not self.endpoint and not self.predict_with:
            raise PydanticCustomError("incomplete", "`from` needs `endpoint` beside it, such as `endpoint: OS`")


@section
class TissueSettings:
    """``tissue``: what counts as tissue."""

    mpp: float = key(8.0, "scale of the thumbnail on which tissue is detected (um/px)", gt=0)
    threshold: float = key(
        0.06, "minimum colour saturation of tissue relative to the glass of its slide (0 to 1)", gt=0, lt=1
    )
    min_area_mm2: float = key(0.05, "smaller pieces of tissue are dropped (mm2)", ge=0)
    min_hole_mm2: float = key(0.005, "smaller holes are filled (mm2)", ge=0)
    annotation: Literal["restrict", "replace", "cut"] = key(
        "restrict",
        "use of a slide's own annotation; restrict keeps the detected tissue within it, replace uses the annotation"
        " itself as the tissue, cut keeps all detected tissue but that of classes that are cut out",
    )
    tissue_classes: Annotated[tuple[Text, ...], LATER] = key(
        (),
        "classes of QuPath that count as tissue in an annotation, such as Tumor; empty takes all that are not cut out",
    )
    cut_classes: Annotated[tuple[Text, ...], LATER] = key(
        (), "classes of QuPath that are cut out of the tissue, in addition to those whose name begins with Ignore"
    )


@section
class Tile:
    """``tile`` and each of ``tilings``: the grid, and which patches are kept."""

    patch_size: int | None = key(
        None,
        "side of a patch (px at the target scale); where neither this nor `mpp` is set, an encoder reads its published"
        " patches, or 256 px at 0.5 um/px",
        ge=16,
    )
    mpp: float | None = key(None, "target scale (um/px), such as 0.5 for 20x; where absent, see `patch_size`", gt=0)
    unit: Literal["microns", "magnification"] = key(
        "microns",
        "microns cuts patches of the same size in um on every scanner; magnification uses the nominal power, as CLAM"
        " and TRIDENT do",
    )
    min_tissue: float = key(0.5, "minimum share of tissue in a patch (0 to 1)", gt=0, le=1)
    min_focus: Annotated[float, LATER] = key(
        0.0, "minimum variance of the Laplacian of a patch at 1 um/px (grey levels squared); 0 keeps all patches", ge=0
    )
    max_black: Annotated[float, LATER] = key(1.0, "maximum share of black in a patch (0 to 1); 1 keeps all", gt=0, le=1)
    max_white: Annotated[float, LATER] = key(
        1.0,
        "maximum share of a patch as bright as glass, such as gaps and fat (0 to 1); 1 keeps all",
        gt=0,
        le=1,
    )
    max_ink: Annotated[float, LATER] = key(1.0, "maximum share of pen ink in a patch (0 to 1); 1 keeps all", gt=0, le=1)
    overlap: Annotated[int, LATER] = key(
        0,
        "overlap of neighbouring patches (px at the target scale), as in TRIDENT; CLAM's step is patch_size - this",
        ge=0,
    )
    also_mpp: Annotated[tuple[Annotated[float, Gt(0)], ...], Different, LATER] = key(
        (), "further scales (um/px); patches of patch_size px at each of them join the same bag"
    )
    max_patches: Annotated[int, LATER] = key(
        0, "maximum number of patches of a slide, drawn at random after the filters; 0 keeps all", ge=0
    )
    patch_seed: Annotated[int, LATER] = key(0, "seed of this draw, which also depends on the slide's content", ge=0)
    tissue_classes: Annotated[tuple[Text, ...], Different, LATER] = key(
        (),
        "classes of QuPath whose tissue is cut into patches, such as Tumor, by each slide's annotation; empty takes all"
        " tissue",
    )
    max_fold: Annotated[float, LATER] = key(
        1.0, "maximum share of a fold of the tissue in a patch (0 to 1); 1 keeps all", gt=0, le=1
    )
    artefacts: Annotated[Literal["none", "grandqc", "hest"], LATER] = key(
        "none",
        "learned segmentation; grandqc takes patches with folds, dark spots, pen, edges, bubbles and blur, hest those"
        " that it does not take for tissue",
    )
    artefact_weights: Annotated[Text | None, LATER] = key(
        None, "local .pth or .safetensors file with the weights of this segmentation"
    )
    artefact_sha256: Annotated[str | None, LATER] = key(None, "expected SHA-256 of this file", pattern="^[0-9a-f]{64}$")
    max_artefact: Annotated[float, LATER] = key(
        0.5, "maximum share of what the segmentation takes in a patch (0 to 1)", gt=0, lt=1
    )

    @model_validator(mode="after")
    def _consistent(self) -> Tile:
        if self.overlap >= (self.patch_size or PATCH_SIZE):
            raise PydanticCustomError("incomplete", "`overlap` must be smaller than `patch_size`")
        if (self.mpp or MPP) in self.also_mpp:
            raise PydanticCustomError("incomplete", "`also_mpp` names the scale `mpp` again; take it out")
        return self

    @model_validator(mode="after")
    def _weighted(self) -> Tile:
        if (self.artefacts == "none") != (self.artefact_weights is None):
            raise PydanticCustomError("incomplete", "`artefacts` and `artefact_weights` need each other")
        return self


PATCH_SIZE = 256
"""Side of patches (px) if neither the config nor the encoder's authors state another."""

MPP = 0.5
"""Scale of patches (um/px) likewise."""


@section
class TileSettings(Tile):
    """The grid, and which patches are kept."""

    patch_size: int = key(PATCH_SIZE, "side of a patch (px at the target scale)", ge=16)
    mpp: float = key(MPP, "target scale (um/px); 0.5 is 20x", gt=0)


@section
class EncoderName:
    """Which encoder."""

    encoder: Text = key(REQUIRED, "name of the encoder")


NO_FILE = ("hub", "random")
"""Values of ``weights`` that are not the path of a file."""


@section
class Weights:
    """Where an encoder's weights come from."""

    weights: Text = key(
        "hub", "hub, a local .pth or .safetensors file, or random (all results are then labelled as such)"
    )
    sha256: str | None = key(None, "expected SHA-256 of the local file", pattern="^[0-9a-f]{64}$")


@section
class Encoder(Weights):
    """``embed: encoders: <name>``: an encoder, the patches that it reads, and where its weights come from."""

    encoder: Text | None = key(
        None, "the encoder, by its name in `ccl encoders` or in timm; without it, the name of the entry is the encoder"
    )
    tiling: Name | None = key(
        None, "patches that it reads: tile, or one of `tilings`; without it, those that `tile` or its authors state"
    )


@section
class Storage:
    """How features are stored."""

    dtype: Literal["float16", "float32"] = key("float32", "data type of the stored features")


PUBLISHED = "published"
"""The value of ``stain_target`` that is no path: the target that the method's authors or users published."""


@section
class Patches:
    """``embed``: how patches are read and coloured for the encoder."""

    decode: Annotated[Literal["exact", "half"], LATER] = key(
        "exact",
        "reading of a level that is twice as fine as the patches; exact decodes whole JPEG tiles and averages pixels,"
        " half decodes them at half size, which is about three times as fast and differs by about a grey level",
    )
    profile: Annotated[Literal["ignore", "srgb"], LATER] = key(
        "ignore", "treatment of a slide's ICC colour profile; srgb converts colours to sRGB by it, if the slide has one"
    )
    stain: Annotated[Literal["none", "macenko", "reinhard"], LATER] = key(
        "none", "stain normalisation of each slide, fitted on a sample of its own patches"
    )
    stain_target: Annotated[Text, LATER] = key(
        PUBLISHED,
        "colours that slides are normalised to; published, or a picture of stained tissue at any scale, which should"
        " not show a patient of the cohort (PNG, JPEG or TIFF)",
    )

    @model_validator(mode="after")
    def _used(self) -> Patches:
        if self.stain == "none" and self.stain_target != PUBLISHED:
            raise PydanticCustomError("incomplete", "a `stain_target` needs `stain: macenko` or `reinhard`")
        return self


@section
class EmbedSettings(Patches, Storage, Weights, EncoderName):
    """Which encoder, with which weights, how patches are read and coloured, and how features are stored."""


@section
class Embed(Patches, Storage):
    """``embed``: the encoders, and how a job uses the machine."""

    encoders: dict[Name, Encoder] = key(
        {"resnet50": Encoder()}, "one entry per encoder, by its name in `ccl encoders` or in timm"
    )
    batch_size: int = key(64, "patches per forward pass; changes speed and memory, not results", ge=1)
    device: Device = key("auto", "auto uses a GPU if there is one")


@section
class Grouping:
    """``genomics``: which families are used, and how empty values are treated."""

    families: tuple[str, ...] = key(
        (), "names of the gene families to use, in this order; empty uses all families of `gmt`"
    )
    missing: Literal["error", "mean"] = key(
        "error", "treatment of an empty omics value; error, or mean (of the training patients)"
    )
    min_coverage: Annotated[float, LATER] = key(
        0.01, "least share of a family's genes that must be in any of the omics tables", ge=0, le=1
    )
    low_coverage: Annotated[Literal["error", "exclude"], LATER] = key(
        "error",
        "treatment of a family with a lower share, or with no gene in the tables; exclude leaves it out and names it in"
        " the report",
    )


@section
class Genomics(Grouping):
    """``genomics``, with the table of other symbols."""

    aliases: Annotated[Text | None, LATER] = key(
        None,
        "table with the columns old and new, or HGNC's complete set; a gene that a table does not have is looked up"
        " there by its other symbols",
    )


@section
class GenomicsSettings(Grouping, PatientColumn):
    """How omics tables are grouped by gene family."""


@section
class Joining:
    """``vectors``: how the vectors of slides become one of a patient."""

    join: Annotated[Literal["mean", "largest"], LATER] = key(
        "mean", "mean averages the slides of a patient; largest takes the slide with the most patches"
    )
    missing: Annotated[Literal["error", "mean"], LATER] = key(
        "error", "treatment of an empty cell in a table of vectors; error, or mean (of the training patients)"
    )


@section
class VectorsSettings(Joining, VectorColumns):
    """How vectors are read and joined."""


@section
class ClusterSettings:
    """``cluster``: how K-means is run."""

    k: int = key(6, "number of clusters of a patient's patches", ge=2)
    restarts: int = key(3, "number of K-means starts; the best is kept", ge=1)
    empty: Literal["reseed", "zero"] = key(
        "reseed",
        "centre of an empty cluster; reseed uses the patch farthest from the centre of its cluster, zero uses the zero"
        " vector, as the paper's code does",
    )
    normalise: Literal["none", "l2"] = key(
        "none",
        "l2 divides the features of each patch by their norm before clustering, as some foundation models need",
    )


@section
class Model:
    """``models: <name>``: a method, with the hyper-parameters that differ from its defaults."""

    method: str | None = key(None, "the method, one of `ccl models`; without it, the model's name is the method")
    k: int | None = key(
        None, "number of clusters of a patient's patches for this model; without it, that of the cluster section", ge=2
    )
    clinical: bool | None = key(
        None, "true gives the method the cohort's covariates too; a network adds a term of them to its logits"
    )
    track: Track = key(
        "unified",
        "unified trains every method as the train section says; native uses the optimiser, epochs and sampling of the"
        " method's authors",
    )
    hyper: dict[str, Any] = key({}, "all other keys: hyper-parameters of the method")

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, entry: Any) -> Any:
        """Move all other keys to the hyper-parameters, which the method checks."""
        if not isinstance(entry, dict):
            return entry
        own = {name: value for name, value in entry.items() if name in keys_of(cls) and name != "hyper"}
        return {**own, "hyper": {name: value for name, value in entry.items() if name not in own}}


@section
class TrainSettings:
    """``train``: how a method is trained."""

    epochs: int = key(30, "passes over the training patients", ge=1)
    lr: float = key(0.001, "learning rate of SGD", gt=0)
    weight_decay: float = key(0.00001, "L2 penalty of SGD", ge=0)
    intervals: int = key(4, "number of survival intervals n", ge=2)
    intervals_from: Literal["train", "cohort"] = key(
        "train",
        "patients whose times define the interval edges; cohort includes test patients, as the paper's code does",
    )
    sampling: Literal["uniform", "weighted"] = key(
        "uniform",
        "uniform takes each training patient once per epoch; weighted draws patients such that all classes of interval"
        " and censorship are equally frequent",
    )
    seeds: Annotated[tuple[Annotated[int, Ge(0)], ...], Different] = key(
        (0,),
        "one model per seed and fold; the seeds of a fold are trained side by side in one program",
        min_length=1,
    )
    inner: Annotated[float, LATER] = key(
        0.0,
        "share of the training patients held out to choose the epoch, drawn for each fold with a fixed seed and"
        " stratified by censorship; 0 holds out nobody",
        ge=0,
        lt=1,
    )
    incomplete: Annotated[Literal["drop", "keep"], LATER] = key(
        "drop",
        "treatment of patients who lack slides, or are in no omics table; drop leaves them out of methods that read"
        " both; keep trains and tests these methods on them too, and also tells methods which omics tables a patient"
        " is in",
    )
    drop_modality: Annotated[float, LATER] = key(
        0.0,
        "share of training steps in which a method that reads slides and genes sees only one of them, at random, of a"
        " patient who has both; Cox models, which have no steps, ignore it",
        ge=0,
        lt=1,
    )


@section
class Train(TrainSettings):
    """``train``, with how a job uses the machine."""

    device: Device = key(
        "cpu",
        "cpu trains as many folds at a time as there are cores, which is faster for small models; auto uses a GPU if"
        " there is one",
    )
    bags: Literal["disk", "memory"] = key(
        "disk",
        "storage between epochs for methods that read all patches; disk reads each patient while the one before is"
        " trained on, memory keeps all patients if they fit",
    )


@section
class EvaluateSettings:
    """``evaluate``: how a method is evaluated."""

    months: Annotated[tuple[Annotated[float, Gt(0)], ...], Different] = key(
        (),
        "times of AUC, Brier score and calibration; empty uses those of 12, 36 and 60 that lie within follow-up",
    )


@section
class BundleSettings:
    """``bundle``: the terms of use of a bundle, and what it tells of its training patients."""

    licence: Text = key("not stated", "licence of the bundles; written into each")
    intended_use: Text = key(
        "research only; not a medical device, so no decision about a patient may rest on it",
        "intended use of the bundles; written into each",
    )
    fingerprints: Annotated[bool, LATER] = key(
        True,
        "keep hashes of the training patients' names and genes in the bundles, by which a validation finds patients of"
        " the training; false where even a hash of a name must not leave the hospital",
    )


@section
class PredictSettings:
    """``predict``: what is predicted for each patient."""

    months: Annotated[tuple[Annotated[float, Gt(0)], ...], Different] = key(
        (),
        "times at which the survival of new patients is predicted; empty uses those of 12, 36 and 60 that lie within"
        " the follow-up of the training cohort",
    )
    expression: Annotated[Expression, LATER] = key(
        "as-is",
        "scale of the new patients' expression: as-is if it is that of the training cohort; z-score standardises each"
        " gene within the new cohort; quantiles maps its quantiles to those of the training patients",
    )


@section
class ValidateSettings:
    """``validate``: how bundles are validated on cohorts with follow-up."""

    shared_patients: Literal["fail", "exclude", "keep"] = key(
        "fail",
        "treatment of patients whom the bundle was trained on, by name or by equal genes; fail names them and stops,"
        " exclude leaves them out, keep scores them too",
    )


@section
class ExplainSettings:
    """``explain``: whose predictions are explained."""

    patients: Annotated[tuple[str, ...], Different] = key(
        (),
        "test patients whose predictions are explained, each in its cohort; empty chooses as many as count says",
    )
    count: int = key(
        2,
        "number of patients explained if none are named, half of highest and half of lowest risk; 0 explains nobody",
        ge=0,
    )


@section
class ReportSettings:
    """``report``."""

    title: Text = key("Survival report", "heading of the report")


@section
class Demo:
    """``demo``: a synthetic cohort."""

    patients: int = key(40, "number of patients; at least five, one test patient for each of five folds", ge=5)
    seed: int = key(0, "random seed; the same seed gives the same bytes", ge=0)


@section
class DemoSettings(Demo):
    """The contents of the synthetic cohort."""

    hospital: Annotated[Literal["first", "second"], LATER] = key(
        "first",
        "first is the usual cohort; second has the same biology in other patients, with another scanner, stain, scale"
        " of expression and censoring, and a risk that a model of the first predicts worse",
    )
    bags: bool = key(False, "write patch features instead of slides: hundreds of patients in seconds")
    shuffle_risk: bool = key(False, "give each patient the follow-up of another at random: a cohort without any signal")


@section
class Config:
    """The whole config."""

    results: Text = key("results", "folder of all results")
    data: Text = key(".", "folder from which the relative paths of this config start")
    demo: Demo | None = key(None, "synthetic cohort, made in the `data` folder if it is missing")
    cohorts: dict[Name, Cohort] = key(
        REQUIRED, "one entry per cohort; its name becomes a folder under `results`", min_length=1
    )
    shards: int = key(
        8,
        "number of processes that share the slides of a cohort; choose about slides / 64, then do not change it",
        ge=1,
    )
    on_bad_slide: OnBadSlide = key(
        "fail",
        "fail finishes the other slides and the contact sheet, then stops and lists the bad ones; exclude continues"
        " without them and names them in the report",
    )
    missing_modality: Literal["fail", "blank"] = key(
        "fail",
        "treatment of a cohort without the slides or omics that a method reads; fail stops before anything runs, blank"
        " leaves the pair out, and the tables say why",
    )
    models: dict[Name, Model] = key(
        {},
        "models to train, each with the hyper-parameters that differ from its method's defaults; without models, only"
        " features are computed",
    )
    cohort: FoldDraw = subsection(FoldDraw)
    tissue: TissueSettings = subsection(TissueSettings)
    tile: Tile = subsection(Tile)
    tilings: dict[Name, Tile] = key({}, "further tilings by name, each with the keys that differ from `tile`")
    embed: Embed = subsection(Embed)
    genomics: Genomics = subsection(Genomics)
    cluster: ClusterSettings = subsection(ClusterSettings)
    vectors: Joining = subsection(Joining)
    train: Train = subsection(Train)
    evaluate: EvaluateSettings = subsection(EvaluateSettings)
    bundle: BundleSettings = subsection(BundleSettings)
    predict: PredictSettings = subsection(PredictSettings)
    validate: ValidateSettings = subsection(ValidateSettings)
    explain: ExplainSettings = subsection(ExplainSettings)
    report: ReportSettings = subsection(ReportSettings)

    def encoder(self, name: str) -> str:
        """Return the encoder of an entry of ``embed: encoders``."""
        return self.embed.encoders[name].encoder or name

    def path(self, path: str) -> str:
        """Return a path of the config: relative ones start from the ``data`` folder."""
        return str(Path(self.data) / path)

    def weights_file(self, encoder: str) -> str | None:
        """Return the local file of an encoder's weights, or None if there is none."""
        weights = self.embed.encoders[encoder].weights
        return None if weights in NO_FILE else self.path(weights)

    @property
    def stain_target(self) -> str | None:
        """The picture that slides are normalised to, or None if there is none."""
        return None if self.embed.stain_target == PUBLISHED else self.path(self.embed.stain_target)
