rule cluster:
    input:
        slides=ancient(plan.inputs.slide_sheet),
        manifests=plan.inputs.feature_manifests,
    output:
        "<results>/{cohort}/cluster/{encoder}/k{k}.h5",
    log:
        "<logs>/cluster/{cohort}/{encoder}.k{k}.log",
    benchmark:
        "<benchmarks>/cluster/{cohort}/{encoder}.k{k}.tsv"
    conda:
        "../../envs/ccl.yaml"
    threads: 4
    resources:
        mem_mb=16000,
        runtime=240,
    params:
        on_bad_slide=plan.config.on_bad_slide,
        version=plan.version("cluster"),
        inputs=plan.options.inputs,
        flags=plan.options.cluster,
        owners=plan.options.owners,
    shell:
        "ccl cluster {params.inputs} --out {output:q} --on-bad-slide {params.on_bad_slide} --threads {threads}"
        " {params.flags} > {log:q} 2>&1"
