rule genomics:
    input:
        wide=lambda w: omics_path(w.cohort, "wide"),
        rna=lambda w: omics_path(w.cohort, "rna"),
        cnv=lambda w: omics_path(w.cohort, "cnv"),
        snv=lambda w: omics_path(w.cohort, "snv"),
        gmt=lambda w: cohort_path(w.cohort, "gmt"),
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
        version=genomics.VERSION,
        inputs=as_options,
        flags=genomics_flags,
    shell:
        "ccl genomics {params.inputs} --out {output:q} {params.flags} > {log:q} 2>&1"
