rule vectors:
    input:
        unpack(plan.inputs.vectors),
        slides=ancient(plan.inputs.slide_sheet),
    output:
        "<results>/{cohort}/vectors/{encoder}/vectors.h5",
    log:
        "<logs>/vectors/{cohort}/{encoder}.log",
    benchmark:
        "<benchmarks>/vectors/{cohort}/{encoder}.tsv"
    conda:
        "../../envs/ccl.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        on_bad_slide=plan.config.on_bad_slide,
        version=plan.version("vectors"),
        rows=plan.options.slide_names,
        owners=plan.options.owners,
        inputs=plan.options.vector_inputs,
        flags=plan.options.vectors,
    shell:
        "ccl vectors {params.inputs} --out {output:q} --on-bad-slide {params.on_bad_slide} {params.flags}"
        " > {log:q} 2>&1"
