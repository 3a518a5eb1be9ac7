rule cohort:
    input:
        patients=lambda w: cohort_path(w.cohort, "patients"),
        slides=lambda w: cohort_path(w.cohort, "slides"),
        folds=lambda w: cohort_folds(w.cohort),
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
        version=cohort.VERSION,
        inputs=as_options,
        flags=cohort_flags,
        out=subpath(output.patients, parent=True),
    shell:
        "ccl cohort --name {wildcards.cohort} {params.inputs} --out {params.out:q} {params.flags} > {log:q} 2>&1"
