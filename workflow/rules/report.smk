rule report:
    input:
        evaluations=[
            f"<results>/{cohort}/evaluate/{encoder}/{model}/evaluation.json"
            for cohort, encoder, model in runs()
        ],
        explained=explained_in_report,
        components=component_facts(),
    output:
        html=report(
            "<results>/report/report.html",
            caption="../report/report.rst",
            category="Report",
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
            report_figures("kaplan_meier", runs()),
            caption="../report/kaplan_meier.rst",
            category="Kaplan-Meier",
        ),
        t_test=report(
            report_figures("t_test", runs()),
            caption="../report/t_test.rst",
            category="T-test",
        ),
        learning_curve=report(
            report_figures("learning_curve", runs()),
            caption="../report/learning_curve.rst",
            category="Learning curves",
        ),
        components=report(
            report_figures("components", decomposed()),
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
        version=reporting.VERSION,
        flags=flags("report"),
        config=json.dumps(config, sort_keys=True),
        inputs=lambda wildcards, input: as_options(
            wildcards, input, without=("evaluations",)
        ),
        out=subpath(output.html, parent=True),
    shell:
        "ccl report {input.evaluations:q} {params.inputs} --out {params.out:q} --config {params.config:q}"
        " {params.flags} > {log:q} 2>&1"
