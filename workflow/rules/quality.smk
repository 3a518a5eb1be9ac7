rule quality:
    input:
        slides=slide_sheet,
        tissue=lambda w: shard_manifests(w.cohort, "tissue"),
        tile=lambda w: shard_manifests(w.cohort, "tile"),
    output:
        table=report(
            "<results>/{cohort}/quality/slides.csv",
            caption="../report/quality.rst",
            category="Slides",
        ),
        page="<results>/{cohort}/quality/contact_sheet.html",
    log:
        "<logs>/quality/{cohort}.log",
    benchmark:
        "<benchmarks>/quality/{cohort}.tsv"
    conda:
        "../../envs/ccl.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        version=quality.VERSION,
        inputs=as_options,
        owners=owners,
        kind=lambda w: (
            "--synthetic" if config["cohorts"][w.cohort]["synthetic"] else "--real"
        ),
        out=subpath(output.page, parent=True),
    shell:
        "ccl quality --cohort {wildcards.cohort} {params.inputs} --out {params.out:q} {params.kind} > {log:q} 2>&1"
