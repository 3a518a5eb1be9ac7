# On a cluster this runs on the login node, because compute nodes usually have no connection.
rule download:
    input:
        slides=ancient(plan.inputs.slide_sheet),
        files=ancient(plan.inputs.gdc_manifest),
    output:
        manifest="<results>/{cohort}/download/manifests/{shard}.tsv",
    log:
        "<logs>/download/{cohort}/{shard}.log",
    benchmark:
        "<benchmarks>/download/{cohort}/{shard}.tsv"
    localrule: True
    conda:
        "../../envs/ccl.yaml"
    threads: plan.options.connections
    params:
        shards=plan.config.shards,
        on_bad_slide=plan.config.on_bad_slide,
        version=plan.version("wsi.download"),
        flags=plan.options.download,
        files=plan.options.downloads,
        out=subpath(output.manifest, ancestor=2),
    shell:
        "ccl download --slides {input.slides:q} --files {input.files:q}"
        " --shard {wildcards.shard} --shards {params.shards}"
        " --out {params.out:q} --manifest {output.manifest:q} --on-bad-slide {params.on_bad_slide}"
        " --connections {threads} {params.flags} > {log:q} 2>&1"
