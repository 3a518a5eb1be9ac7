# Part of the graph where the config has `demo`: the synthetic cohort in the `data` folder.
rule demo:
    output:
        DEMO_FILES,
    log:
        "<logs>/demo.log",
    benchmark:
        "<benchmarks>/demo.tsv"
    conda:
        "../../envs/ccl.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        flags=demo_flags(),
        out=subpath(output[0], parent=True),
    shell:
        "ccl demo {params.out:q} {params.flags} > {log:q} 2>&1"
