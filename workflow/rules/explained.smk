# What the rules of `explain`, `components` and `bundle` share: a model's networks, and whom they are asked about.
from ccl import components as decomposing
from ccl import explain as explaining


def patients_named(cohort):
    """The patients of a cohort that the config asks to explain by name."""
    own = {slide.patient_id for slide in SLIDES[cohort]}
    return [name for name in config["explain"]["patients"] if name in own]


def explain_folders(methods):
    """A folder for each model of some methods, in cohorts with a patient to explain."""
    asked = config["explain"]
    named = {cohort: patients_named(cohort) for cohort in followed()}
    unknown = set(asked["patients"]).difference(*named.values())
    if unknown:
        raise WorkflowError(
            f"`explain: patients` names {', '.join(sorted(unknown))}; no cohort has such a patient with a slide."
        )
    return [
        f"<results>/{cohort}/explain/{encoder}/{model}"
        for cohort, encoder, model in runs()
        if method_of(model) in methods
        and (named[cohort] if asked["patients"] else asked["count"])
    ]


def explained(wildcards):
    """What `snakemake explain` makes: all that can be explained."""
    found = explain_folders(explaining.EXPLAINED)
    if not found:
        raise WorkflowError(
            "There is nothing to explain: `snakemake explain` needs a model of one of the methods"
            f" {', '.join(explaining.EXPLAINED)}, a cohort with what it reads, and patients: `explain: count` of 1"
            " or more, or `explain: patients`."
        )
    return found


def explained_in_report(wildcards):
    """What the report shows of single patients: those explained with CCL."""
    return explain_folders(["ccl"])


def explain_flags(wildcards):
    return to_flags(
        explaining.ExplainSettings,
        config["explain"] | {"patients": patients_named(wildcards.cohort)},
    )


def decomposed():
    """Every (cohort, encoder, model) of the config with components."""
    return [run for run in runs() if method_of(run[2]) in decomposing.DECOMPOSED]


def component_facts():
    """What the stage `components` leaves of each of them."""
    return [
        f"<results>/{cohort}/components/{encoder}/{model}/components.json"
        for cohort, encoder, model in decomposed()
    ]


def network_files(wildcards):
    """What training left of each fold of a model."""
    return [
        f"<results>/{{cohort}}/train/{{encoder}}/{{model}}/fold{fold}/{name}"
        for fold in range(FOLDS[wildcards.cohort])
        for name in ("model.safetensors", "run.json", "predictions.csv")
    ]


def network_input(wildcards):
    """Each fold's networks, and the tables that they were trained on, by the name of their option."""
    files = train_input(wildcards)
    return {
        "models": network_files(wildcards),
        **{key: files[key] for key in ("genomics", "clusters") if key in files},
    }


def explain_input(wildcards):
    """What the networks were trained on, and the cohort's follow-up, slides and features."""
    return {
        **network_input(wildcards),
        "outcomes": train_input(wildcards)["patients"],
        **slide_inputs(wildcards),
    }


def network_options(wildcards, input):
    """The inputs as options, the folds' folders before them."""
    folders = dict.fromkeys(str(Path(path).parent) for path in input.models)
    return f"{shlex.join(folders)} {as_options(wildcards, input, without=('models',))}"
