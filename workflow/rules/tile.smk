rule tile:
    input:
        slides=ancient(plan.inputs.slide_sheet),
        upstream="<results>/{cohort}/tissue/manifests/{shard}.tsv",
        artefact_weights=plan.inputs.artefact_weights,
    output:
        manifest="<results>/{cohort}/{tiling}/manifests/{shard}.tsv",
    log:
        "<logs>/{tiling}/{cohort}/{shard}.log",
    benchmark:
        "<benchmarks>/{tiling}/{cohort}/{shard}.tsv"
    conda:
        "../../envs/ccl.yaml"
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        shards=plan.config.shards,
        version=plan.version("wsi.tile"),
        flags=plan.options.tile,
        out=subpath(output.manifest, ancestor=2),
    shell:
        "ccl tile --slides {input.slides:q} --upstream {input.upstream:q}"
        " --shard {wildcards.shard} --shards {params.shards}"
        " --out {params.out:q} --manifest {output.manifest:q} --on-bad-slide exclude"
        " {params.flags} > {log:q} 2>&1"
