rule import_features:
    input:
        slides=slide_sheet,
        files=feature_files,
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
        on_bad_slide=config["on_bad_slide"],
        version=interop.VERSION,
        features=feature_folder,
        rows=feature_names,
    shell:
        "ccl import --slides {input.slides:q} --features {params.features:q} --manifest {output.manifest:q}"
        " --on-bad-slide {params.on_bad_slide} > {log:q} 2>&1"
