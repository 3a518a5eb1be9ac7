# What the rules of `ablations` share: the cohorts that CCL can be trained on, and the points.
def ablated():
    """The cohorts with all that CCL reads, and those without, by name."""
    whole = {
        name: "slides" in entry and "omics" in entry
        for name, entry in followed().items()
    }
    return [n for n in whole if whole[n]], [n for n in whole if not whole[n]]


def ablation_evaluations(wildcards):
    """The evaluations of every point of the paper's ablations, the default model's among them."""
    cohorts, without = ablated()
    if not cohorts or method_of(ablating.DEFAULT) != "ccl":
        raise WorkflowError(
            "There is nothing to ablate: `snakemake ablations` needs a cohort with `slides` and `omics`, and a model"
            " named ccl, if the config has one, whose method is ccl."
        )
    for name in without:
        logger.warning(f"Ablations leave out {name}: it lacks `slides` or `omics`.")
    return [
        f"<results>/{cohort}/evaluate/{encoder}/{model}/evaluation.json"
        for cohort in cohorts
        for encoder in encoders_of(cohort)
        for model in ablating.models_of(BASE)
    ]
