"""Every key of the config, once: type, default, limits, unit and meaning.

Those of a cohort are in :mod:`ccl.config.cohort_sections`.

The fields of a ``...Settings`` class are the options of a stage's command, and are recorded in the key of its results.
If a section of the config also has keys for how a job uses the machine, its class extends the settings.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt
from pydantic import model_validator
from pydantic_core import PydanticCustomError

from ccl.config.cohort_sections import Cohort, FoldDraw, PatientColumn, VectorColumns
from ccl.config.keys import LATER, REQUIRED, Different, Name, Text, key, keys_of, section, subsection
from ccl.io.sheets import OnBadSlide

Device = Literal["auto", "cpu", "cuda"]
Expression = Literal["as-is", "z-score", "quantiles"]
Track = Literal["unified", "native"]


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
