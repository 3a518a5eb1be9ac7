rule embed:
    input:
        slides=ancient(plan.inputs.slide_sheet),
        upstream=plan.inputs.tiles,
        weights=plan.inputs.weights,
        stain_target=plan.inputs.stain_target,
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
        # These are resources because they do not change the result: a change runs nothing again.
        gpu=plan.options.gpus("embed"),
        device=plan.config.embed.device,
        batch_size=plan.config.embed.batch_size,
        mem_mb=16000,
        runtime=720,
    params:
        shards=plan.config.shards,
        version=plan.version("wsi.embed"),
        flags=plan.options.embed,
        out=subpath(output.manifest, ancestor=2),
    shell:
        "ccl embed --slides {input.slides:q} --upstream {input.upstream:q}"
        " --shard {wildcards.shard} --shards {params.shards}"
        " --out {params.out:q} --manifest {output.manifest:q} --on-bad-slide exclude"
        " --batch-size {resources.batch_size} --device {resources.device} --threads {threads}"
        " {params.flags} > {log:q} 2>&1"
