rule quality:
    input:
        slides=ancient(plan.inputs.slide_sheet),
        tissue=plan.inputs.tissue_manifests,
        tile=plan.inputs.tile_manifests,
        embed=plan.inputs.quality_embed_manifests,
    output:
        table=report(
            "<results>/{cohort}/quality/slides.csv",
            caption="../report/quality.rst",
            category="Slides",
        ),
        page="<results>/{cohort}/quality/contact_sheet.html",
    log:
        "<logs>/quality/{cohort}.log",
    benchmark:
        "<benchmarks>/quality/{cohort}.tsv"
    conda:
        "../../envs/ccl.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        version=plan.version("wsi.quality"),
        inputs=plan.options.inputs,
        owners=plan.options.owners,
        kind=plan.options.label,
        out=subpath(output.page, parent=True),
    shell:
        "ccl quality --cohort {wildcards.cohort} {params.inputs} --out {params.out:q} {params.kind} > {log:q} 2>&1"


# The same page before anything is embedded.
use rule quality as quality_tiled with:
    input:
        slides=ancient(plan.inputs.slide_sheet),
        tissue=plan.inputs.tissue_manifests,
        tile=plan.inputs.tile_manifests,
    output:
        table="<results>/{cohort}/look/slides.csv",
        page="<results>/{cohort}/look/contact_sheet.html",
    log:
        "<logs>/look/{cohort}.log",
    benchmark:
        "<benchmarks>/look/{cohort}.tsv"


rule look:
    input:
        plan.targets.look,
    localrule: True
