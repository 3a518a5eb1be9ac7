# What the rules share: the config resolved to paths, the shards, and the flags of each stage's command.
import json
import re
import shlex
from pathlib import Path

from ccl import (
    cluster,
    cohort,
    embed,
    evaluate,
    genomics,
    interop,
    quality,
    tile,
    tissue,
    train,
)
from ccl import ablations as ablating
from ccl import report as reporting
from ccl import table1 as comparing
from ccl.cohort.folds import fold_files
from ccl.cohort.sheets import read_slide_sheet
from ccl.demo import DemoSettings
from ccl.demo.plan import demo_files, demo_slides, is_made
from ccl.encoders import check_source
from ccl.errors import CclError, ConfigError
from ccl.files import digest, read_table
from ccl.interop.naming import find_features
from ccl.models import get_method, hyper
from ccl.settings import to_flags
from ccl.shards import shard_of, shard_slides

SETTINGS = {
    "cohort": cohort.CohortSettings,
    "tissue": tissue.TissueSettings,
    "tile": tile.TileSettings,
    "embed": embed.EmbedSettings,
    "genomics": genomics.GenomicsSettings,
    "cluster": cluster.ClusterSettings,
    "train": train.TrainSettings,
    "evaluate": evaluate.EvaluateSettings,
    "report": reporting.ReportSettings,
}


# The model that ablations change, and every model there is: the config's, and the points that ablations alone ask for.
BASE = {"k": config["cluster"]["k"]} | config["models"].get(ablating.DEFAULT, {})
MODELS = ablating.models_of(BASE) | config["models"]


def one_of(names):
    """A wildcard constraint that admits exactly these names."""
    return "|".join(re.escape(name) for name in names)


def data_path(path):
    """A path of the config, from the `data` folder; an absolute one stays what it is."""
    return str(Path(config["data"]) / path)


def cohort_path(cohort, key):
    """The input file that a cohort names under `key`, or nothing."""
    path = config["cohorts"][cohort].get(key)
    return [data_path(path)] if path else []


def omics_path(cohort, kind):
    """The omics table of one kind, or nothing."""
    path = config["cohorts"][cohort].get("omics", {}).get(kind)
    return [data_path(path)] if path else []


def cohort_folds(cohort):
    """The fold files of a cohort; none where folds are drawn."""
    folder = config["cohorts"][cohort].get("folds")
    return [str(path) for path in fold_files(Path(data_path(folder)))] if folder else []


def n_folds(cohort):
    return len(cohort_folds(cohort)) or config["cohort"]["n_folds"]


def encoders_of(cohort):
    """Encoders whose features a cohort has: those imported, else those of the config."""
    return list(config["cohorts"][cohort].get("features", config["embed"]["encoders"]))


def all_encoders():
    return sorted({"none"}.union(*map(encoders_of, config["cohorts"])))


def method_of(model):
    """The method behind a model's name; by itself, the name."""
    return MODELS[model].get("method", model)


def clusters_of(model):
    """Clusters k that a model reads of each patient."""
    return MODELS[model].get("k", config["cluster"]["k"])


def track_of(model):
    """Whether a model is trained as the config says, or as its authors do."""
    return MODELS[model].get("track", "unified")


def overrides_of(model):
    """The hyper-parameters that differ from the method's own."""
    reserved = ("method", "k", "track")
    return {key: value for key, value in MODELS[model].items() if key not in reserved}


def reads(model):
    """The stages that a model learns from."""
    return get_method(method_of(model)).reads


def reads_slides(model):
    return bool({"clusters", "bags"} & set(reads(model)))


def lacks(cohort, model):
    """The inputs that a model reads and a cohort does not have: `slides`, `omics`."""
    wanted = {"slides": reads_slides(model), "omics": "genomics" in reads(model)}
    return [
        key for key in wanted if wanted[key] and key not in config["cohorts"][cohort]
    ]


def followed():
    """The cohorts with follow-up, which models are trained on; of others a bundle tells the risks."""
    return {n: entry for n, entry in config["cohorts"].items() if "patients" in entry}


def runs():
    """Every (cohort, encoder, model) of the config; the encoder is `none` for a method that reads no slides."""
    return [
        (cohort, encoder, model)
        for cohort in followed()
        for model in config["models"]
        if not lacks(cohort, model)
        for encoder in (encoders_of(cohort) if reads_slides(model) else ["none"])
    ]


def blanks():
    """What `runs` leaves out, with the reason: (model, cohort, reason)."""
    return [
        (model, cohort, f"the cohort has no {' and no '.join(lacks(cohort, model))}")
        for cohort in followed()
        for model in config["models"]
        if lacks(cohort, model)
    ]


def check_config():
    """What the schema cannot say, before any slide is read."""
    for cohort, entry in config["cohorts"].items():
        if "features" not in entry and "slides" in entry:
            for encoder, settings in config["embed"]["encoders"].items():
                check_source(encoder, settings["weights"])
    for model in config["models"]:
        if overrides_of(model):
            hyper(method_of(model), overrides_of(model))
    for model, cohort, reason in blanks():
        if config["missing_modality"] == "fail":
            raise ConfigError(
                "a method asks for data that a cohort does not have",
                where=f"config, models: {model} and cohorts: {cohort}",
                found=reason,
                expected=f"what {model} reads",
                todo=f"give {cohort} its data, run the method in a config of its own, or set"
                " `missing_modality: blank` to go on without this pair",
            )


def demo_settings():
    """The demo cohort that the config declares."""
    return DemoSettings(**config["demo"], bags=False, shuffle_risk=False)


def demo_flags():
    return to_flags(DemoSettings, vars(demo_settings()))


def declared_demo():
    """The files of the demo cohort, if the config declares one; a `data` folder with anything else is refused."""
    if "demo" not in config:
        return []
    is_made(Path(config["data"]), demo_settings())
    return [str(path) for path in demo_files(Path(config["data"]), demo_settings())]


def read_sheet(cohort):
    """The slides of a cohort; those of the demo are known before it is made."""
    if "slides" not in config["cohorts"][cohort]:
        return []
    path = data_path(config["cohorts"][cohort]["slides"])
    if path in DEMO_FILES and not Path(path).exists():
        return demo_slides(Path(config["data"]), demo_settings())
    return read_slide_sheet(Path(path))


try:
    check_config()
    DEMO_FILES = declared_demo()
    SLIDES = {cohort: read_sheet(cohort) for cohort in config["cohorts"]}
    FOLDS = {cohort: n_folds(cohort) for cohort in config["cohorts"]}
except CclError as error:
    raise WorkflowError(str(error))


def flags(stage, **more):
    """The options of a stage's command, from its section of the config: a job runs again when one changes."""
    return to_flags(SETTINGS[stage], config[stage] | more)


def train_flags(wildcards):
    """An `inner` of 0 is left unsaid, so that what was trained before there was such a key is still as it should be."""
    return flags("train", inner=config["train"]["inner"] or None)


def cohort_flags(wildcards):
    return flags("cohort", **config["cohorts"][wildcards.cohort])


def embed_flags(wildcards):
    return flags(
        "embed",
        encoder=wildcards.encoder,
        **{"sha256": None} | config["embed"]["encoders"][wildcards.encoder],
    )


def genomics_flags(wildcards):
    return flags(
        "genomics", patient_column=config["cohorts"][wildcards.cohort]["patient_column"]
    )


def overrides(wildcards):
    """The hyper-parameters that the config sets, as the JSON that `ccl train` takes."""
    return json.dumps(overrides_of(wildcards.model), sort_keys=True)


def as_options(wildcards, input, without=()):
    """The inputs of a job as options of the same names; an input that a cohort does not have gives none."""
    pairs = [
        (name, path)
        for name in input.keys()
        if name not in without
        for path in ([input[name]] if isinstance(input[name], str) else input[name])
    ]
    return " ".join(f"--{name} {shlex.quote(path)}" for name, path in pairs)


def shards(cohort):
    """The shards of a cohort that have slides."""
    return sorted(
        {shard_of(slide.slide_id, config["shards"]) for slide in SLIDES[cohort]}
    )


def slide_sheet(wildcards):
    """The sheet, its date ignored: a job's own rows are among its parameters, others' rows do not concern it."""
    return [ancient(path) for path in cohort_path(wildcards.cohort, "slides")]


def slides_of(wildcards):
    return shard_slides(
        SLIDES[wildcards.cohort], int(wildcards.shard), config["shards"]
    )


def slide_files(wildcards):
    """Slides of a shard and the user's annotations of them; one that neither is there nor will be made is for the stage
    to refuse, so that it costs the others nothing."""
    paths = [p for s in slides_of(wildcards) for p in (s.path, s.annotation) if p]
    return [str(path) for path in paths if path.exists() or str(path) in DEMO_FILES]


def slide_rows(wildcards):
    """What the sheet says of a shard's slides, as one value: other slides' rows do not concern the shard."""
    rows = slides_of(wildcards)
    return digest([(s.slide_id, str(s.path), s.mpp, str(s.annotation)) for s in rows])


def owners(wildcards):
    """Which slide belongs to whom, as one value."""
    return digest([(s.slide_id, s.patient_id) for s in SLIDES[wildcards.cohort]])


def feature_folder(wildcards):
    """The folder of a cohort's ready features."""
    return data_path(config["cohorts"][wildcards.cohort]["features"][wildcards.encoder])


def feature_files(wildcards):
    """A cohort's ready features; one that is not there is for the import to refuse."""
    folder = Path(feature_folder(wildcards))
    found = [find_features(folder, slide) for slide in SLIDES[wildcards.cohort]]
    return sorted({str(file) for file in found if file is not None})


def feature_names(wildcards):
    """What the sheet says of the names of ready features, as one value."""
    return digest([(s.slide_id, str(s.path)) for s in SLIDES[wildcards.cohort]])


def shard_manifests(cohort, stage):
    """The manifests of all shards of a slide stage."""
    return [
        f"<results>/{{cohort}}/{stage}/manifests/{shard}.tsv"
        for shard in shards(cohort)
    ]


def manifests(cohort):
    """The manifests that list a cohort's features."""
    if "features" in config["cohorts"][cohort]:
        return ["<results>/{cohort}/import/{encoder}/manifest.tsv"]
    return shard_manifests(cohort, "embed/{encoder}")


def contact_sheets():
    """The pages on the slides of each cohort whose slides are read."""
    return [
        f"<results>/{cohort}/quality/contact_sheet.html"
        for cohort in SLIDES
        if SLIDES[cohort] and "features" not in config["cohorts"][cohort]
    ]


def targets():
    """What `snakemake` makes by default: the report, or where no method is to be trained, the features; predictions;
    and each cohort's contact sheet.

    Every file of the report is asked for. A new model in the config gives it new files; Snakemake does not compare a
    job with its record while a file of it has none, and would find that the page alone is there.
    """
    if runs():
        return list(rules.report.output) + predictions() + contact_sheets()
    features = [
        path.format(cohort=cohort, encoder=encoder)
        for cohort in SLIDES
        for encoder in encoders_of(cohort)
        for path in manifests(cohort)
    ]
    return features + predictions() + contact_sheets()


def train_input(wildcards):
    """The files that a method reads, by the name of their option."""
    files = {
        "patients": "<results>/{cohort}/cohort/patients.csv",
        "folds": "<results>/{cohort}/cohort/folds.csv",
    }
    if "genomics" in reads(wildcards.model):
        files["genomics"] = "<results>/{cohort}/genomics/genomics.h5"
    if "clusters" in reads(wildcards.model):
        files["clusters"] = (
            f"<results>/{{cohort}}/cluster/{{encoder}}/k{clusters_of(wildcards.model)}.h5"
        )
    if "bags" in reads(wildcards.model):
        files["slides"] = slide_sheet(wildcards)
        files["manifests"] = manifests(wildcards.cohort)
    return files


def report_figures(kind, found):
    """The figures of one kind, of each cohort, encoder and model among those found."""
    return [
        f"<results>/report/figures/{cohort}.{encoder}.{model}.{kind}.svg"
        for cohort, encoder, model in found
    ]


def run_folders(wildcards, input):
    return [str(Path(path).parent) for path in input]


def gpus(stage):
    """How many GPUs a job of a stage takes from `--resources gpu=`."""
    return 0 if config[stage]["device"] == "cpu" else 1


def closing_words():
    """The C-index table and where the report is, for the end of a run."""
    folder = Path(config["results"]) / "report"
    table = folder / "tables" / "c_index.csv"
    if not table.exists():
        return ""
    return f"\n{read_table(table).to_string(index=False)}\n\nReport: {folder / 'report.html'}\n"
