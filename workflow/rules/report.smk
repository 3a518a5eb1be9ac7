rule report:
    input:
        [
            f"<results>/{cohort}/evaluate/{encoder}/{model}/evaluation.json"
            for cohort, encoder, model in runs()
        ],
    output:
        html=report(
            "<results>/report/report.html",
            caption="../report/report.rst",
            category="Report",
        ),
        c_index="<results>/report/tables/c_index.csv",
    log:
        "<logs>/report.log",
    benchmark:
        "<benchmarks>/report.tsv"
    conda:
        "../../envs/ccl.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        version=reporting.VERSION,
        flags=flags("report"),
        config=json.dumps(config, sort_keys=True),
        out=subpath(output.html, parent=True),
    shell:
        "ccl report {input:q} --out {params.out:q} --config {params.config:q} {params.flags} > {log:q} 2>&1"
