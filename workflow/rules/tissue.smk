rule tissue:
    input:
        slides=ancient(plan.inputs.slide_sheet),
        files=plan.inputs.slide_files,
        upstream=plan.inputs.downloaded,
    output:
        manifest="<results>/{cohort}/tissue/manifests/{shard}.tsv",
    log:
        "<logs>/tissue/{cohort}/{shard}.log",
    benchmark:
        "<benchmarks>/tissue/{cohort}/{shard}.tsv"
    conda:
        "../../envs/ccl.yaml"
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        shards=plan.config.shards,
        version=plan.version("wsi.tissue"),
        flags=plan.options.tissue,
        rows=plan.options.shard_rows,
        out=subpath(output.manifest, ancestor=2),
    shell:
        "ccl tissue --slides {input.slides:q} --shard {wildcards.shard} --shards {params.shards}"
        " --out {params.out:q} --manifest {output.manifest:q} --on-bad-slide exclude"
        " {params.flags} > {log:q} 2>&1"
