# From whole-slide images, omics tables and follow-up to survival risk and a report.
#
#   snakemake --cores 8 --resources gpu=1                                  the demo, from nothing to the report
#   snakemake --cores 8 --resources gpu=1 --configfile config/mine.yaml    your own cohort
#
# Each stage has one rule file. docs/formats.md describes their files, config/README.md the config.
import sys

from snakemake.utils import min_version

from ccl.io.errors import CclError
from ccl.plan import lock, make_plan

min_version("9.27")


# A config given on the command line is used alone: merging it with the default would add the demo cohort.
if "cohorts" not in config:

    configfile: "config/config.yaml"


if lock.release_stale():
    print("removed the lock of a run that was killed", file=sys.stderr)

try:
    plan = make_plan(config, workflow.configfiles)
except CclError as error:
    raise WorkflowError(str(error)) from None


# Not `onstart`, which a dry run does not see.
if workflow.is_main_process:
    plan.targets.announce()


pathvars:
    results=plan.config.results,
    logs="<results>/logs",
    benchmarks="<results>/benchmarks",


report: "workflow/report/workflow.rst"


include: "workflow/rules/source.smk"
include: "workflow/rules/cohort.smk"
include: "workflow/rules/download.smk"
include: "workflow/rules/tissue.smk"
include: "workflow/rules/tile.smk"
include: "workflow/rules/quality.smk"
include: "workflow/rules/embed.smk"
include: "workflow/rules/gather.smk"
include: "workflow/rules/import.smk"
include: "workflow/rules/genomics.smk"
include: "workflow/rules/clinical.smk"
include: "workflow/rules/cluster.smk"
include: "workflow/rules/vectors.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/added.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/validate.smk"
include: "workflow/rules/ablations.smk"
include: "workflow/rules/table1.smk"
include: "workflow/rules/explain.smk"
include: "workflow/rules/components.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/predict.smk"


if plan.demo:

    include: "workflow/rules/demo.smk"


wildcard_constraints:
    **plan.constraints,


rule all:
    default_target: True
    input:
        plan.targets.default(rules.report.output),
    localrule: True


onstart:
    lock.note_holder()


onsuccess:
    print(plan.targets.closing_words())
