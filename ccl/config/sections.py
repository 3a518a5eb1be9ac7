"""Every key of the config, once: type, default, limits, unit and meaning.

A class that ends in ``Settings`` is what a stage's command takes as options and records in the key of its results.
Where the config's section has further keys, about how a job uses the machine, the section extends the settings.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt
from pydantic import model_validator
from pydantic_core import PydanticCustomError

from ccl.config.keys import LATER, REQUIRED, Different, Name, Text, key, keys_of, section, subsection
from ccl.io.sheets import OnBadSlide

Device = Literal["auto", "cpu", "cuda"]
Track = Literal["unified", "native"]


@section
class PatientColumn:
    """How tables name the patient."""

    patient_column: str = key("patient_id", "column that names the patient, here and in the omics tables")


@section
class FollowUpColumns(PatientColumn):
    """How the table of patients names its columns."""

    months_column: str = key("months", "column of the follow-up in months")
    censorship_column: str = key(
        "censorship", "column that is 1 where the patient was censored, 0 where death was observed"
    )


@section
class FoldDraw:
    """``cohort``: folds where none are given."""

    n_folds: int = key(5, "folds to draw for a cohort without a `folds` folder, stratified by censorship", ge=2)
    fold_seed: int = key(0, "seed of that draw", ge=0)


@section
class Label:
    """What a cohort is made of."""

    synthetic: bool = key(False, "true labels everything made from this cohort as synthetic")


@section
class CohortSettings(Label, FoldDraw, FollowUpColumns):
    """How the user's tables are read, and how folds are drawn where none are given."""


def _omics_table(what: str, suffix: str) -> Any:
    """Declare a kind of omics: what it measures, and how its columns end where several kinds are in one table."""
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
"""Kind of omics to the ending of its columns in a wide table and in results, as MCAT and PORPOISE name them."""


@section
class Cohort(Label, FollowUpColumns):
    """``cohorts: <name>``."""

    patients: Text | None = key(None, "table with a row per patient (or slide), follow-up in months and censorship")
    predict_with: dict[Name, Text] | None = key(
        None,
        "bundles that predict the risk of this cohort's patients, folders by the names that their results get;"
        " such a cohort needs no follow-up",
        min_length=1,
    )
    slides: Text | None = key(
        None,
        "sample sheet with slide_id, patient_id, path (from the sheet's folder) and, optionally, mpp (um/px) and"
        " annotation (a path too)",
    )
    features: dict[Name, Text] | None = key(
        None,
        "instead of reading slides, folders of ready feature files by encoder name, as TRIDENT, CLAM or STAMP wrote"
        " them",
        min_length=1,
    )
    folds: Text | None = key(
        None, "folder of splits_0.csv, splits_1.csv, ... with columns train and val (or test); drawn where absent"
    )
    omics: Omics | None = key(None, "omics tables: one wide table, or a table for each kind of omics")
    gmt: Text | None = key(None, "GMT file of gene families")

    @property
    def reads_slides(self) -> bool:
        """Whether slides are read, not features made elsewhere."""
        return self.slides is not None and self.features is None

    @model_validator(mode="after")
    def _whole(self) -> Cohort:
        for name, needed in (("omics", "gmt"), ("gmt", "omics"), ("features", "slides")):
            if getattr(self, name) and not getattr(self, needed):
                raise PydanticCustomError("incomplete", f"`{name}` needs `{needed}` beside it")
        if not self.patients and not self.predict_with:
            raise PydanticCustomError("incomplete", "name the table of `patients`, or bundles to `predict_with`")
        return self


@section
class TissueSettings:
    """``tissue``: what counts as tissue."""

    mpp: float = key(8.0, "scale of the thumbnail that tissue is sought on (um/px)", gt=0)
    threshold: float = key(0.06, "least colour saturation of tissue (0 to 1)", gt=0, lt=1)
    min_area_mm2: float = key(0.05, "smaller pieces of tissue are dropped (mm2)", ge=0)
    min_hole_mm2: float = key(0.005, "smaller holes are filled (mm2)", ge=0)
    annotation: Literal["restrict", "replace"] = key(
        "restrict",
        "what a slide's own annotation does; restrict keeps the tissue that is found and annotated, replace takes the"
        " annotation for the tissue",
    )


@section
class TileSettings:
    """``tile``: the grid, and which of its patches to keep."""

    patch_size: int = key(256, "side of a patch (px at the target scale)", ge=16)
    mpp: float = key(0.5, "target scale (um/px); 0.5 is 20x", gt=0)
    unit: Literal["microns", "magnification"] = key(
        "microns",
        "microns cuts every patch to the same um whatever the scanner; magnification takes the nominal power for"
        " granted, as CLAM and TRIDENT do",
    )
    min_tissue: float = key(0.5, "least share of a patch that must be tissue (0 to 1)", gt=0, le=1)


@section
class EncoderName:
    """Which encoder."""

    encoder: Text = key(REQUIRED, "name of the encoder")


NO_FILE = ("hub", "random")
"""Values of ``weights`` that are not the path of a file."""


@section
class Weights:
    """``embed: encoders: <name>``: where an encoder's weights come from."""

    weights: Text = key("hub", "hub, a local .pth or .safetensors file, or random (every output is then labelled so)")
    sha256: str | None = key(None, "what the local file must hash to", pattern="^[0-9a-f]{64}$")


@section
class Storage:
    """How features are stored."""

    dtype: Literal["float16", "float32"] = key("float32", "storage of the features")


@section
class EmbedSettings(Storage, Weights, EncoderName):
    """Which encoder, with which weights, stored how."""


@section
class Embed(Storage):
    """``embed``: the encoders, and how a job uses the machine."""

    encoders: dict[Name, Weights] = key(
        {"resnet50": Weights()}, "one entry an encoder, by its name in `ccl encoders` or in timm"
    )
    batch_size: int = key(64, "patches per forward pass; changes speed and memory, not results", ge=1)
    device: Device = key("auto", "auto takes a GPU where there is one")


@section
class Genomics:
    """``genomics``: which families are used, and what an empty value means."""

    families: tuple[str, ...] = key((), "names of the GMT's families to use, in this order; empty takes all")
    missing: Literal["error", "mean"] = key(
        "error", "what to do with an empty omics value; error, or mean (of the training patients)"
    )


@section
class GenomicsSettings(Genomics, PatientColumn):
    """How omics tables are grouped by gene family."""


@section
class ClusterSettings:
    """``cluster``: how K-means is run."""

    k: int = key(6, "clusters of a patient's patches", ge=2)
    restarts: int = key(3, "K-means starts, of which the best is kept", ge=1)
    empty: Literal["reseed", "zero"] = key(
        "reseed",
        "an empty cluster takes the patch farthest from its centre (reseed), or the zero vector as its centre (zero),"
        " as in the paper's code",
    )
    normalise: Literal["none", "l2"] = key(
        "none",
        "l2 divides each patch by its norm before clustering, which features of some foundation models need",
    )


@section
class Model:
    """``models: <name>``: a method, with those of its hyper-parameters that differ from its own."""

    method: str | None = key(None, "the method, one of `ccl models`; where absent, the model's name is the method's")
    k: int | None = key(
        None, "clusters of a patient's patches that the model reads; where absent, those of the cluster stage", ge=2
    )
    track: Track = key(
        "unified",
        "unified trains as the train section says, the same for every method; native with the optimiser, epochs and"
        " sampling of the method's authors",
    )
    hyper: dict[str, Any] = key({}, "every other key: the method's hyper-parameters")

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, entry: Any) -> Any:
        """Put every key that is not the model's own among the hyper-parameters, which the method checks."""
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
    intervals: int = key(4, "survival intervals n", ge=2)
    intervals_from: Literal["train", "cohort"] = key(
        "train", "whose times the interval edges come from; cohort includes test patients, as the paper's code does"
    )
    sampling: Literal["uniform", "weighted"] = key(
        "uniform",
        "uniform: each training patient once an epoch; weighted: drawn so that all classes of interval and censorship"
        " are equally frequent",
    )
    seeds: Annotated[tuple[Annotated[int, Ge(0)], ...], Different] = key(
        (0,),
        "one model per seed and fold; the seeds of a fold are trained side by side as one program",
        min_length=1,
    )
    inner: Annotated[float, LATER] = key(
        0.0,
        "share of the training patients held out to choose the epoch by, drawn for each fold with a fixed seed and"
        " stratified by censorship; 0 holds out nobody",
        ge=0,
        lt=1,
    )


@section
class Train(TrainSettings):
    """``train``, with how a job uses the machine."""

    device: Device = key(
        "cpu",
        "cpu trains as many folds at a time as there are cores, the better deal for small models; auto takes a GPU"
        " where there is one",
    )
    bags: Literal["disk", "memory"] = key(
        "disk",
        "where methods that read all patches have them between epochs; disk reads them anew each time while the"
        " patient before is trained on, memory keeps them if they fit",
    )


@section
class EvaluateSettings:
    """``evaluate``: what a method is judged by."""

    months: Annotated[tuple[Annotated[float, Gt(0)], ...], Different] = key(
        (),
        "times of AUC, Brier score and calibration; empty takes 12, 36 and 60 as far as they lie within follow-up",
    )


@section
class BundleSettings:
    """``bundle``: on what terms a bundle is given away."""

    licence: Text = key("not stated", "terms under which bundles may be used; written into each")
    intended_use: Text = key(
        "research only; not a medical device, so no decision about a patient may rest on it",
        "what bundles are for, and what not; written into each",
    )


@section
class PredictSettings:
    """``predict``: what is predicted for each patient."""

    months: Annotated[tuple[Annotated[float, Gt(0)], ...], Different] = key(
        (),
        "when the survival of new patients is predicted; empty takes 12, 36 and 60 as far as the training cohort was"
        " followed",
    )


@section
class ExplainSettings:
    """``explain``: whose predictions are explained."""

    patients: Annotated[tuple[str, ...], Different] = key(
        (),
        "test patients whose predictions are explained, each in its cohort; empty takes as many as count says",
    )
    count: int = key(
        2,
        "patients that are explained where none are named, of the highest and the lowest risk in equal parts; 0"
        " explains nobody",
        ge=0,
    )


@section
class ReportSettings:
    """``report``."""

    title: Text = key("Survival report", "heading of the report")


@section
class Demo:
    """``demo``: a synthetic cohort."""

    patients: int = key(40, "patients to make; five or more, so that each of five folds has one to test", ge=5)
    seed: int = key(0, "seed of all draws; the same seed gives the same bytes", ge=0)


@section
class DemoSettings(Demo):
    """What the synthetic cohort holds."""

    bags: bool = key(False, "write ready patch features instead of slides: hundreds of patients in seconds")
    shuffle_risk: bool = key(False, "hand the follow-up to other patients at random: a cohort without any signal")


@section
class Config:
    """The whole config."""

    results: Text = key("results", "folder that all results go to")
    data: Text = key(".", "folder that the relative paths of this config start from")
    demo: Demo | None = key(None, "a synthetic cohort, made in the `data` folder if it is not there")
    cohorts: dict[Name, Cohort] = key(
        REQUIRED, "one entry a cohort; its name becomes a folder under `results`", min_length=1
    )
    shards: int = key(
        8, "processes that the slides of a cohort are spread over; choose about slides / 64, then leave it", ge=1
    )
    on_bad_slide: OnBadSlide = key(
        "fail",
        "fail (finish the others, then stop and list the bad ones) or exclude (go on without them, named in the"
        " report)",
    )
    missing_modality: Literal["fail", "blank"] = key(
        "fail",
        "what to do with a method and a cohort that lacks what it reads (slides or omics); fail stops before anything"
        " is done, blank leaves the pair out, and the tables say why",
    )
    models: dict[Name, Model] = key(
        {},
        "models to train, each with the hyper-parameters that differ from its method's own; without any, slides"
        " become features and no more",
    )
    cohort: FoldDraw = subsection(FoldDraw)
    tissue: TissueSettings = subsection(TissueSettings)
    tile: TileSettings = subsection(TileSettings)
    embed: Embed = subsection(Embed)
    genomics: Genomics = subsection(Genomics)
    cluster: ClusterSettings = subsection(ClusterSettings)
    train: Train = subsection(Train)
    evaluate: EvaluateSettings = subsection(EvaluateSettings)
    bundle: BundleSettings = subsection(BundleSettings)
    predict: PredictSettings = subsection(PredictSettings)
    explain: ExplainSettings = subsection(ExplainSettings)
    report: ReportSettings = subsection(ReportSettings)

    def path(self, path: str) -> str:
        """Return a path of the config: relative ones start from the ``data`` folder."""
        return str(Path(self.data) / path)

    def weights_file(self, encoder: str) -> str | None:
        """Return the local file of an encoder's weights, or None where there is none."""
        weights = self.embed.encoders[encoder].weights
        return None if weights in NO_FILE else self.path(weights)
