# What the rules of `explain` share: which models can be explained, and what that needs.
from ccl import explain as explaining


def explained(wildcards):
    """A folder for each model of the config that reads slides and says what it attends to."""
    found = [run for run in runs() if method_of(run[2]) in explaining.EXPLAINED]
    if not found:
        raise WorkflowError(
            "There is nothing to explain: `snakemake explain` needs a model of one of the methods"
            f" {', '.join(explaining.EXPLAINED)}, and a cohort with what it reads."
        )
    return [
        f"<results>/{cohort}/explain/{encoder}/{model}"
        for cohort, encoder, model in found
    ]


def explain_input(wildcards):
    """Each fold's models, and the files that they were trained on, by the name of their option."""
    files = train_input(wildcards)
    return {
        "models": [
            f"<results>/{{cohort}}/train/{{encoder}}/{{model}}/fold{fold}/{name}"
            for fold in range(FOLDS[wildcards.cohort])
            for name in ("model.safetensors", "run.json", "predictions.csv")
        ],
        "outcomes": files["patients"],
        **{key: files[key] for key in ("genomics", "clusters") if key in files},
        "slides": slide_sheet(wildcards),
        "manifests": manifests(wildcards.cohort),
    }


def explain_options(wildcards, input):
    """The inputs as options, the folds' folders before them."""
    folders = dict.fromkeys(str(Path(path).parent) for path in input.models)
    return f"{shlex.join(folders)} {as_options(wildcards, input, without=('models',))}"
