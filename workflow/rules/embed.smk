rule embed:
    input:
        slides=ancient("<results>/{cohort}/cohort/slides.csv"),
        upstream="<results>/{cohort}/tile/manifests/{shard}.tsv",
    output:
        manifest="<results>/{cohort}/embed/{encoder}/manifests/{shard}.tsv",
    log:
        "<logs>/embed/{cohort}/{encoder}/{shard}.log",
    benchmark:
        "<benchmarks>/embed/{cohort}/{encoder}/{shard}.tsv"
    conda:
        "../../envs/ccl.yaml"
    threads: 4
    resources:
        gpu=gpus("embed"),
        mem_mb=16000,
        runtime=720,
    params:
        version=embed.VERSION,
        flags=embed_flags,
        out=subpath(output.manifest, ancestor=2),
    shell:
        "ccl embed --slides {input.slides:q} --upstream {input.upstream:q}"
        " --shard {wildcards.shard} --shards {config[shards]}"
        " --out {params.out:q} --manifest {output.manifest:q} --on-bad-slide {config[on_bad_slide]}"
        " --batch-size {config[embed][batch_size]} --device {config[embed][device]} --threads {threads}"
        " {params.flags} > {log:q} 2>&1"
