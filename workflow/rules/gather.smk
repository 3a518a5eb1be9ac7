rule gather:
    input:
        slides=ancient(plan.inputs.slide_sheet),
        manifests=plan.inputs.embed_manifests,
    output:
        manifest="<results>/{cohort}/embed/{encoder}/manifest.tsv",
    log:
        "<logs>/gather/{cohort}/{encoder}.log",
    benchmark:
        "<benchmarks>/gather/{cohort}/{encoder}.tsv"
    localrule: True
    conda:
        "../../envs/ccl.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        on_bad_slide=plan.config.on_bad_slide,
        version=plan.version("wsi.gather"),
        inputs=plan.options.inputs,
        owners=plan.options.owners,
    shell:
        "ccl gather {params.inputs} --manifest {output.manifest:q} --on-bad-slide {params.on_bad_slide} > {log:q} 2>&1"
