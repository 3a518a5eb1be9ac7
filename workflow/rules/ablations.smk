# Not part of the default target: `snakemake ablations` asks for it.
rule ablations:
    input:
        ablation_evaluations,
    output:
        html="<results>/ablations/ablations.html",
        tables=expand(
            "<results>/ablations/table_{table}.csv",
            table=["iv", "v", "vi", "vii", "viii"],
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
        version=ablating.VERSION,
        base=json.dumps(BASE, sort_keys=True),
        without=" ".join(f"--without {name}" for name in ablated()[1]),
        out=subpath(output.html, parent=True),
    shell:
        "ccl ablations {input:q} --out {params.out:q} --base {params.base:q} {params.without} > {log:q} 2>&1"
