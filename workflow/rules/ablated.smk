# What the rules of `ablations` share: the cohorts that CCL can be trained on, and the points.
from functools import cache, partial


def ablated():
    """The cohorts with all that CCL reads, and those without, by name."""
    whole = {
        name: "slides" in entry and "omics" in entry
        for name, entry in followed().items()
    }
    return [n for n in whole if whole[n]], [n for n in whole if not whole[n]]


@cache
def ablation_cohorts():
    """The cohorts that points are trained on; those that are left out are named once."""
    cohorts, without = ablated()
    if not cohorts or method_of(ablating.DEFAULT) != "ccl":
        raise WorkflowError(
            "There is nothing to ablate: `snakemake ablations` needs a cohort with `slides` and `omics`, and a model"
            " named ccl, if the config has one, whose method is ccl."
        )
    for name in without:
        logger.warning(f"Ablations leave out {name}: it lacks `slides` or `omics`.")
    return cohorts


def ablation_evaluations(wildcards, table=None):
    """The evaluations of every point of a table, or of all, the default model's among them."""
    return [
        f"<results>/{cohort}/evaluate/{encoder}/{model}/evaluation.json"
        for cohort in ablation_cohorts()
        for encoder in encoders_of(cohort)
        for model in ablating.models_of(BASE, table)
    ]
