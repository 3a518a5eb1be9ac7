rule source:
    input:
        unpack(plan.inputs.source),
    output:
        patients="<results>/{cohort}/source/patients.csv",
        clinical="<results>/{cohort}/source/clinical.csv",
        omics="<results>/{cohort}/source/omics.h5",
        summary="<results>/{cohort}/source/summary.json",
    log:
        "<logs>/source/{cohort}.log",
    benchmark:
        "<benchmarks>/source/{cohort}.tsv"
    conda:
        "../../envs/ccl.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        version=plan.version("source"),
        inputs=plan.options.source_inputs,
        flags=plan.options.source,
        out=subpath(output.patients, parent=True),
    shell:
        "ccl source {params.inputs} --out {params.out:q} {params.flags} > {log:q} 2>&1"
