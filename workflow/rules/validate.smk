# `snakemake validate` scores every bundle of `predict_with` on the cohorts that have follow-up.
rule validate:
    input:
        plan.targets.validate(rules.report.output),
    localrule: True


rule validate_bundle:
    input:
        unpack(plan.inputs.validate),
        slides=ancient(plan.inputs.bundle_sheet),
        manifests=plan.inputs.bundle_manifests,
        tissue=plan.inputs.bundle_tissue,
    output:
        facts="<results>/{cohort}/predict/{bundle}/evaluation.json",
        tables=expand(
            "<results>/{{cohort}}/predict/{{bundle}}/{name}.csv",
            name=[
                "risks",
                "curves",
                "calibration",
                "benefit",
                "groups",
                "interactions",
                "shift",
            ],
        ),
        page=report(
            "<results>/{cohort}/predict/{bundle}/validation.html",
            caption="../report/validation.rst",
            category="External validation",
        ),
        cards=expand(
            "<results>/{{cohort}}/predict/{{bundle}}/model_card.{end}",
            end=["html", "md"],
        ),
    log:
        "<logs>/validate/{cohort}/{bundle}.log",
    benchmark:
        "<benchmarks>/validate/{cohort}/{bundle}.tsv"
    conda:
        "../../envs/ccl.yaml"
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        version=plan.version("validate"),
        folder=plan.options.bundle_folder,
        owners=plan.options.owners_of_bundle,
        inputs=plan.options.validate_inputs,
        label=plan.options.label,
        about=plan.options.about,
        months=plan.options.section("evaluate"),
        flags=plan.options.section("validate"),
        out=subpath(output.facts, parent=True),
    shell:
        "ccl validate {params.out:q} --bundle {params.folder:q} --cohort {wildcards.cohort} --name {wildcards.bundle}"
        " {params.inputs} {params.label} {params.about} {params.months} {params.flags}"
        " > {log:q} 2>&1"
