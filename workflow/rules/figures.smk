# Not part of the default target: `snakemake figure6` to `figure9` ask for one figure of the paper each.
rule figure6:
    input:
        judged_figures("6"),
    localrule: True


rule figure7:
    input:
        judged_figures("7"),
    localrule: True


rule figure8:
    input:
        figure8_files,
    localrule: True


rule figure9:
    input:
        figure9_files,
    localrule: True


rule draw_evaluations:
    input:
        judged_input,
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
        number=one_of(drawing.JUDGED),
    conda:
        "../../envs/ccl.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        version=drawing.VERSION,
        out=subpath(output[0], parent=True),
    shell:
        "ccl figures --figure {wildcards.number} {input:q} --out {params.out:q} > {log:q} 2>&1"


rule draw_components:
    input:
        component_input,
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
        version=drawing.VERSION,
        out=subpath(output[0], parent=True),
    shell:
        "ccl figures --figure 8 {input:q} --out {params.out:q} > {log:q} 2>&1"
