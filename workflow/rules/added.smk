rule added:
    input:
        **plan.inputs.added,
    output:
        facts="<results>/{cohort}/added/{encoder}/{model}/added.json",
        log_hazards="<results>/{cohort}/added/{encoder}/{model}/log_hazards.csv",
        calibration="<results>/{cohort}/added/{encoder}/{model}/calibration.csv",
        benefit="<results>/{cohort}/added/{encoder}/{model}/benefit.csv",
        groups="<results>/{cohort}/added/{encoder}/{model}/groups.csv",
        interactions="<results>/{cohort}/added/{encoder}/{model}/interactions.csv",
    log:
        "<logs>/added/{cohort}/{encoder}/{model}.log",
    benchmark:
        "<benchmarks>/added/{cohort}/{encoder}/{model}.tsv"
    conda:
        "../../envs/ccl.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        version=plan.version("added"),
        evaluation=subpath(input.evaluation, parent=True),
        flags=plan.options.section("evaluate"),
        out=subpath(output.facts, parent=True),
    shell:
        "ccl added {params.evaluation:q} --clinical {input.clinical:q} --out {params.out:q} {params.flags} > {log:q} 2>&1"
