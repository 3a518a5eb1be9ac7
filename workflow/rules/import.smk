rule import_features:
    input:
        slides=ancient(plan.inputs.slide_sheet),
        files=plan.inputs.feature_files,
    output:
        manifest="<results>/{cohort}/import/{encoder}/manifest.tsv",
    log:
        "<logs>/import/{cohort}/{encoder}.log",
    benchmark:
        "<benchmarks>/import/{cohort}/{encoder}.tsv"
    conda:
        "../../envs/ccl.yaml"
    resources:
        mem_mb=8000,
        runtime=240,
    params:
        on_bad_slide=plan.config.on_bad_slide,
        version=plan.version("io.interop"),
        features=plan.options.feature_folder,
        rows=plan.options.slide_names,
    shell:
        "ccl import --slides {input.slides:q} --features {params.features:q} --manifest {output.manifest:q}"
        " --on-bad-slide {params.on_bad_slide} > {log:q} 2>&1"
