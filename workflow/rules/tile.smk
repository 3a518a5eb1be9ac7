rule tile:
    input:
        slides=slide_sheet,
        upstream="<results>/{cohort}/tissue/manifests/{shard}.tsv",
    output:
        manifest="<results>/{cohort}/tile/manifests/{shard}.tsv",
    log:
        "<logs>/tile/{cohort}/{shard}.log",
    benchmark:
        "<benchmarks>/tile/{cohort}/{shard}.tsv"
    conda:
        "../../envs/ccl.yaml"
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        shards=config["shards"],
        on_bad_slide=config["on_bad_slide"],
        version=tile.VERSION,
        flags=flags("tile"),
        out=subpath(output.manifest, ancestor=2),
    shell:
        "ccl tile --slides {input.slides:q} --upstream {input.upstream:q}"
        " --shard {wildcards.shard} --shards {params.shards}"
        " --out {params.out:q} --manifest {output.manifest:q} --on-bad-slide {params.on_bad_slide}"
        " {params.flags} > {log:q} 2>&1"
