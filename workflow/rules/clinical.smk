rule clinical:
    input:
        unpack(plan.inputs.clinical),
    output:
        table="<results>/{cohort}/clinical/clinical.csv",
        coding="<results>/{cohort}/clinical/covariates.json",
        characteristics="<results>/{cohort}/clinical/characteristics.csv",
    log:
        "<logs>/clinical/{cohort}.log",
    benchmark:
        "<benchmarks>/clinical/{cohort}.tsv"
    conda:
        "../../envs/ccl.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        version=plan.version("clinical"),
        inputs=plan.options.inputs,
        flags=plan.options.clinical,
        out=subpath(output.table, parent=True),
    shell:
        "ccl clinical {params.inputs} --out {params.out:q} {params.flags} > {log:q} 2>&1"
