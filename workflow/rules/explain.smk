# Not part of the default target: `snakemake explain` asks for it, once a model of the config can be explained.
rule explain:
    input:
        explained,
    localrule: True


rule explain_model:
    input:
        unpack(explain_input),
    output:
        directory("<results>/{cohort}/explain/{encoder}/{model}"),
    log:
        "<logs>/explain/{cohort}/{encoder}.{model}.log",
    benchmark:
        "<benchmarks>/explain/{cohort}/{encoder}.{model}.tsv"
    conda:
        "../../envs/ccl.yaml"
    resources:
        mem_mb=16000,
        runtime=120,
    params:
        version=explaining.VERSION,
        owners=owners,
        inputs=explain_options,
        flags=to_flags(explaining.ExplainSettings, config["explain"]),
    shell:
        "ccl explain {params.inputs} --out {output:q} --threads {threads} {params.flags} > {log:q} 2>&1"
