# The report needs the explanations of CCL; `snakemake explain` makes those of every model that can be explained.
rule explain:
    input:
        plan.targets.explain,
    localrule: True


rule explain_model:
    input:
        unpack(plan.inputs.explain),
        slides=ancient(plan.inputs.slide_sheet),
        manifests=plan.inputs.feature_manifests,
    output:
        report(
            directory("<results>/{cohort}/explain/{encoder}/{model}"),
            patterns=["{patient}/explanation.html"],
            caption="../report/explanation.rst",
            category="Single patients",
        ),
    log:
        "<logs>/explain/{cohort}/{encoder}.{model}.log",
    benchmark:
        "<benchmarks>/explain/{cohort}/{encoder}.{model}.tsv"
    conda:
        "../../envs/ccl.yaml"
    resources:
        mem_mb=16000,
        runtime=120,
    params:
        version=plan.version("explain"),
        owners=plan.options.owners,
        inputs=plan.options.network_inputs,
        flags=plan.options.explain,
    shell:
        "ccl explain {params.inputs} --out {output:q} --threads {threads} {params.flags} > {log:q} 2>&1"
