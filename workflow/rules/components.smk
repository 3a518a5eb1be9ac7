rule components:
    input:
        unpack(plan.inputs.components),
    output:
        components="<results>/{cohort}/components/{encoder}/{model}/components.csv",
        similarity="<results>/{cohort}/components/{encoder}/{model}/similarity.csv",
        facts="<results>/{cohort}/components/{encoder}/{model}/components.json",
    log:
        "<logs>/components/{cohort}/{encoder}/{model}.log",
    benchmark:
        "<benchmarks>/components/{cohort}/{encoder}/{model}.tsv"
    conda:
        "../../envs/ccl.yaml"
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        version=plan.version("components"),
        inputs=plan.options.network_inputs,
        out=subpath(output.components, parent=True),
    shell:
        "ccl components {params.inputs} --out {params.out:q} > {log:q} 2>&1"
