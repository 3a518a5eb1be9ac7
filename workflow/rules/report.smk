rule report:
    input:
        evaluations=plan.targets.evaluations(),
        explained=plan.targets.explained_in_report,
        components=plan.targets.components(),
        added=plan.targets.added(),
        characteristics=plan.targets.characteristics(),
        validations=plan.targets.validations(),
    output:
        html=report(
            "<results>/report/report.html",
            caption="../report/report.rst",
            category="Report",
        ),
        added=report(
            plan.targets.added_table(),
            caption="../report/added.rst",
            category="What models add",
        ),
        validation=report(
            plan.targets.validation_table(),
            caption="../report/validation.rst",
            category="External validation",
        ),
        c_index=report(
            "<results>/report/tables/c_index.csv",
            caption="../report/c_index.rst",
            category="C-index",
        ),
        alignment=report(
            "<results>/report/tables/alignment.csv",
            caption="../report/alignment.rst",
            category="Clusters",
        ),
        comparisons=report(
            "<results>/report/tables/comparisons.csv",
            caption="../report/comparisons.rst",
            category="C-index",
        ),
        cohorts=report(
            "<results>/report/tables/cohorts.csv",
            caption="../report/cohort.rst",
            category="Cohorts",
        ),
        kaplan_meier=report(
            plan.targets.report_figures("kaplan_meier", plan.runs),
            caption="../report/kaplan_meier.rst",
            category="Kaplan-Meier",
        ),
        t_test=report(
            plan.targets.report_figures("t_test", plan.runs),
            caption="../report/t_test.rst",
            category="T-test",
        ),
        learning_curve=report(
            plan.targets.report_figures("learning_curve", plan.runs),
            caption="../report/learning_curve.rst",
            category="Learning curves",
        ),
        components=report(
            plan.targets.report_figures("components", plan.targets.decomposed()),
            caption="../report/components.rst",
            category="Knowledge components",
        ),
    log:
        "<logs>/report.log",
    benchmark:
        "<benchmarks>/report.tsv"
    conda:
        "../../envs/ccl.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        version=plan.version("report"),
        flags=plan.options.section("report"),
        config=plan.options.config,
        inputs=plan.options.report_inputs,
        out=subpath(output.html, parent=True),
    shell:
        "ccl report {input.evaluations:q} {params.inputs} --out {params.out:q} --config {params.config:q}"
        " {params.flags} > {log:q} 2>&1"
