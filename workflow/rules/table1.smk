# Not part of the default target: run `snakemake table1`.
rule table1:
    input:
        plan.targets.table1,
    output:
        html=report(
            "<results>/table1/table1.html",
            caption="../report/table1_page.rst",
            category="Tables I to III",
        ),
        table1=report(
            expand("<results>/table1/table1.{kind}", kind=["csv", "tex"]),
            caption="../report/table1.rst",
            category="Table I",
        ),
        table2=report(
            expand("<results>/table1/table2.{kind}", kind=["csv", "tex"]),
            caption="../report/table2.rst",
            category="Table II",
        ),
        table3=report(
            expand("<results>/table1/table3.{kind}", kind=["csv", "tex"]),
            caption="../report/table3.rst",
            category="Table III",
        ),
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
        version=plan.version("paper.table1"),
        blanks=plan.options.blanks,
        out=subpath(output.html, parent=True),
    shell:
        "ccl table1 {input:q} --out {params.out:q} --blanks {params.blanks:q} > {log:q} 2>&1"


# Tables II and III need the same evaluations and are made together with Table I.
rule table2:
    input:
        rules.table1.output.table2,
    localrule: True


rule table3:
    input:
        rules.table1.output.table3,
    localrule: True
