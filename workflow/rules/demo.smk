# Included if the config has section `demo`: makes the synthetic cohort in the `data` folder.
rule demo:
    output:
        plan.demo.files,
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
        flags=plan.options.demo,
        out=subpath(output[0], parent=True),
    shell:
        "ccl demo {params.out:q} {params.flags} > {log:q} 2>&1"
