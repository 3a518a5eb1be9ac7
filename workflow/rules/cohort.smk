rule cohort:
    input:
        unpack(plan.inputs.cohort),
    output:
        patients="<results>/{cohort}/cohort/patients.csv",
        slides="<results>/{cohort}/cohort/slides.csv",
        folds="<results>/{cohort}/cohort/folds.csv",
        summary="<results>/{cohort}/cohort/summary.json",
    log:
        "<logs>/cohort/{cohort}.log",
    benchmark:
        "<benchmarks>/cohort/{cohort}.tsv"
    conda:
        "../../envs/ccl.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        version=plan.version("cohort"),
        inputs=plan.options.inputs,
        flags=plan.options.cohort,
        out=subpath(output.patients, parent=True),
    shell:
        "ccl cohort --name {wildcards.cohort} {params.inputs} --out {params.out:q} {params.flags} > {log:q} 2>&1"
