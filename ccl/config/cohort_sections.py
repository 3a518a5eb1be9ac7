"""The keys of a cohort in the config: its tables, sources, endpoints, covariates, folds and vectors.

:mod:`ccl.config.sections` has those of the stages, and says how classes are named.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from annotated_types import MinLen
from pydantic import BeforeValidator, model_validator
from pydantic_core import PydanticCustomError

from ccl.config.keys import LATER, REQUIRED, Different, Name, Text, key, keys_of, section


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
