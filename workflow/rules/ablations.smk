# Not part of the default target: run `snakemake ablations` for all tables, `snakemake table4` to `table8` for one.
for number, table in plan.targets.ablations.items():

    rule:
        name:
            f"table{number}"
        input:
            plan.inputs.ablation(number),
        output:
            report(
                expand(
                    "<results>/ablations/table{number}.{kind}",
                    number=number,
                    kind=["csv", "tex"],
                ),
                caption=f"../report/table{number}.rst",
                category=f"Table {table.roman}",
            ),
        log:
            f"<logs>/table{number}.log",
        benchmark:
            f"<benchmarks>/table{number}.tsv"
        conda:
            "../../envs/ccl.yaml"
        resources:
            mem_mb=4000,
            runtime=30,
        params:
            version=plan.version("paper.ablations"),
            base=plan.options.base,
            table=number,
            out=subpath(output[0], parent=True),
        shell:
            "ccl ablations {input:q} --out {params.out:q} --table {params.table} --base {params.base:q} > {log:q} 2>&1"


rule ablations:
    input:
        evaluations=plan.inputs.ablations,
        tables=expand(
            "<results>/ablations/table{number}.{kind}",
            number=list(plan.targets.ablations),
            kind=["csv", "tex"],
        ),
    output:
        html=report(
            "<results>/ablations/ablations.html",
            caption="../report/ablations.rst",
            category="Tables IV to VIII",
        ),
        figures=directory("<results>/ablations/figures"),
    log:
        "<logs>/ablations.log",
    benchmark:
        "<benchmarks>/ablations.tsv"
    conda:
        "../../envs/ccl.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        version=plan.version("paper.ablations"),
        base=plan.options.base,
        without=plan.options.without,
        out=subpath(output.html, parent=True),
    shell:
        "ccl ablations {input.evaluations:q} --out {params.out:q} --base {params.base:q} {params.without} > {log:q} 2>&1"
