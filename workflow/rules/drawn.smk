# What the rules of `figures` share: what there is to draw, by the models that were run.
from ccl import figures as drawing


def nothing_to_draw(number, needed):
    return WorkflowError(
        f"There is nothing to draw: `snakemake figure{number}` needs {needed}."
    )


def cohorts_of(wildcards):
    """The cohorts that a model is run on with an encoder."""
    return [
        cohort
        for cohort, encoder, model in runs()
        if (encoder, model) == (wildcards.encoder, wildcards.model)
    ]


def figure_files(number, found):
    """A figure of each encoder and model of some runs, and of each protocol where it shows how good they are."""
    suffixes = ["", ".best-on-test"] if number in drawing.JUDGED else [""]
    return [
        f"<results>/figures/figure{number}.{encoder}.{model}{suffix}.{kind}"
        for encoder, model in dict.fromkeys(run[1:] for run in found)
        for suffix in suffixes
        for kind in ("svg", "png")
    ]


def judged_figures(number):
    def files(wildcards):
        if not runs():
            raise nothing_to_draw(number, "a model, and a cohort with follow-up")
        return figure_files(number, runs())

    return files


def figure8_files(wildcards):
    if not decomposed():
        raise nothing_to_draw(
            8, "a model of the method ccl, and a cohort with slides and omics"
        )
    return figure_files("8", decomposed())


def figure9_files(wildcards):
    found = explained_in_report(wildcards)
    if not found:
        raise nothing_to_draw(
            9,
            "a model of the method ccl, a cohort with slides and omics, and patients: `explain: count` of 1 or more,"
            " or `explain: patients`",
        )
    return found


def judged_input(wildcards):
    """The evaluations of a model with an encoder, of all cohorts."""
    return [
        f"<results>/{cohort}/evaluate/{{encoder}}/{{model}}/evaluation.json"
        for cohort in cohorts_of(wildcards)
    ]


def component_input(wildcards):
    """The components of a model with an encoder, of all cohorts."""
    return [
        f"<results>/{cohort}/components/{{encoder}}/{{model}}/components.json"
        for cohort in cohorts_of(wildcards)
    ]
