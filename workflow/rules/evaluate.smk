rule evaluate:
    input:
        plan.inputs.evaluate,
    output:
        evaluation="<results>/{cohort}/evaluate/{encoder}/{model}/evaluation.json",
        risks="<results>/{cohort}/evaluate/{encoder}/{model}/risks.csv",
        curves="<results>/{cohort}/evaluate/{encoder}/{model}/curves.csv",
        calibration="<results>/{cohort}/evaluate/{encoder}/{model}/calibration.csv",
    log:
        "<logs>/evaluate/{cohort}/{encoder}/{model}.log",
    benchmark:
        "<benchmarks>/evaluate/{cohort}/{encoder}/{model}.tsv"
    conda:
        "../../envs/ccl.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        version=plan.version("evaluate"),
        runs=plan.options.run_folders,
        flags=plan.options.section("evaluate"),
        out=subpath(output.evaluation, parent=True),
    shell:
        "ccl evaluate {params.runs:q} --out {params.out:q} {params.flags} > {log:q} 2>&1"
