rule genomics:
    input:
        unpack(plan.inputs.genomics),
    output:
        "<results>/{cohort}/genomics/genomics.h5",
    log:
        "<logs>/genomics/{cohort}.log",
    benchmark:
        "<benchmarks>/genomics/{cohort}.tsv"
    conda:
        "../../envs/ccl.yaml"
    resources:
        mem_mb=8000,
        runtime=30,
    params:
        version=plan.version("genomics"),
        inputs=plan.options.inputs,
        flags=plan.options.genomics,
    shell:
        "ccl genomics {params.inputs} --out {output:q} {params.flags} > {log:q} 2>&1"
