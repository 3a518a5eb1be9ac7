# Not part of the default target: run `snakemake figure6` to `figure9` for one figure of the paper.
rule figure6:
    input:
        plan.targets.judged_figure("6"),
    localrule: True


rule figure7:
    input:
        plan.targets.judged_figure("7"),
    localrule: True


rule figure8:
    input:
        plan.targets.figure8,
    localrule: True


rule figure9:
    input:
        plan.targets.figure9,
    localrule: True


rule draw_evaluations:
    input:
        plan.inputs.draw_evaluations,
    output:
        multiext(
            "<results>/figures/figure{number}.{encoder}.{model}",
            ".svg",
            ".png",
            ".best-on-test.svg",
            ".best-on-test.png",
        ),
    log:
        "<logs>/figures/figure{number}.{encoder}.{model}.log",
    benchmark:
        "<benchmarks>/figures/figure{number}.{encoder}.{model}.tsv"
    wildcard_constraints:
        number="6|7",
    conda:
        "../../envs/ccl.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        version=plan.version("paper.figures"),
        out=subpath(output[0], parent=True),
    shell:
        "ccl figures --figure {wildcards.number} {input:q} --out {params.out:q} > {log:q} 2>&1"


rule draw_components:
    input:
        plan.inputs.draw_components,
    output:
        multiext("<results>/figures/figure8.{encoder}.{model}", ".svg", ".png"),
    log:
        "<logs>/figures/figure8.{encoder}.{model}.log",
    benchmark:
        "<benchmarks>/figures/figure8.{encoder}.{model}.tsv"
    conda:
        "../../envs/ccl.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        version=plan.version("paper.figures"),
        out=subpath(output[0], parent=True),
    shell:
        "ccl figures --figure 8 {input:q} --out {params.out:q} > {log:q} 2>&1"
