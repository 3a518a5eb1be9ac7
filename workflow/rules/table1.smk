# Not part of the default target: `snakemake table1` asks for it.
rule table1:
    input:
        [
            f"<results>/{cohort}/evaluate/{encoder}/{model}/evaluation.json"
            for cohort, encoder, model in runs()
        ],
    output:
        html="<results>/table1/table1.html",
        latex="<results>/table1/table1.tex",
        tables=expand("<results>/table1/table{number}.csv", number=[1, 2, 3]),
    log:
        "<logs>/table1.log",
    benchmark:
        "<benchmarks>/table1.tsv"
    conda:
        "../../envs/ccl.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        version=comparing.VERSION,
        blanks=json.dumps(blanks()),
        out=subpath(output.html, parent=True),
    shell:
        "ccl table1 {input:q} --out {params.out:q} --blanks {params.blanks:q} > {log:q} 2>&1"
