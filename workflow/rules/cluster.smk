rule cluster:
    input:
        slides=slide_sheet,
        manifests=lambda w: manifests(w.cohort),
    output:
        "<results>/{cohort}/cluster/{encoder}/k{k}.h5",
    log:
        "<logs>/cluster/{cohort}/{encoder}.k{k}.log",
    benchmark:
        "<benchmarks>/cluster/{cohort}/{encoder}.k{k}.tsv"
    conda:
        "../../envs/ccl.yaml"
    threads: 4
    resources:
        mem_mb=16000,
        runtime=240,
    params:
        on_bad_slide=config["on_bad_slide"],
        version=cluster.VERSION,
        inputs=as_options,
        flags=lambda w: flags("cluster", k=int(w.k)),
        owners=owners,
    shell:
        "ccl cluster {params.inputs} --out {output:q} --on-bad-slide {params.on_bad_slide} --threads {threads}"
        " {params.flags} > {log:q} 2>&1"
