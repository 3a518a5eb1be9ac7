# Not part of the default target: `snakemake bundle` packs every model of the config for new patients.
rule bundle:
    input:
        plan.targets.bundles(),
    localrule: True


rule bundle_model:
    input:
        unpack(plan.inputs.bundle),
        slides=ancient(plan.inputs.model_sheet),
        manifests=plan.inputs.model_manifests,
        tissue=plan.inputs.model_tissue,
    output:
        card="<results>/{cohort}/bundle/{encoder}/{model}/bundle.json",
        weights="<results>/{cohort}/bundle/{encoder}/{model}/model.safetensors",
        pages=expand(
            "<results>/{{cohort}}/bundle/{{encoder}}/{{model}}/model_card.{end}",
            end=["html", "md"],
        ),
    log:
        "<logs>/bundle/{cohort}/{encoder}/{model}.log",
    benchmark:
        "<benchmarks>/bundle/{cohort}/{encoder}/{model}.tsv"
    conda:
        "../../envs/ccl.yaml"
    resources:
        mem_mb=8000,
        runtime=120,
    params:
        version=plan.version("predict.card"),
        owners=plan.options.owners_of_model,
        inputs=plan.options.network_inputs,
        preprocessing=plan.options.preprocessing,
        about=plan.options.about,
        flags=plan.options.section("bundle"),
        out=subpath(output.card, parent=True),
    shell:
        "ccl bundle {params.inputs} --preprocessing {params.preprocessing:q} --out {params.out:q}"
        " {params.about} {params.flags} > {log:q} 2>&1"


rule predict:
    input:
        plan.targets.predict,
    localrule: True


rule predict_cohort:
    input:
        unpack(plan.inputs.predict),
        slides=ancient(plan.inputs.bundle_sheet),
        manifests=plan.inputs.bundle_manifests,
    output:
        risk="<results>/{cohort}/predict/{bundle}/risk.csv",
        survival="<results>/{cohort}/predict/{bundle}/survival.csv",
        left_out="<results>/{cohort}/predict/{bundle}/left_out.csv",
        facts="<results>/{cohort}/predict/{bundle}/predict.json",
    log:
        "<logs>/predict/{cohort}/{bundle}.log",
    benchmark:
        "<benchmarks>/predict/{cohort}/{bundle}.tsv"
    conda:
        "../../envs/ccl.yaml"
    resources:
        # These are resources because they do not change the result: a change runs nothing again.
        gpu=plan.options.gpus("train"),
        device=plan.config.train.device,
        mem_mb=8000,
        runtime=120,
    params:
        version=plan.version("predict"),
        folder=plan.options.bundle_folder,
        owners=plan.options.owners_of_bundle,
        inputs=plan.options.predict_inputs,
        flags=plan.options.section("predict"),
        out=subpath(output.risk, parent=True),
    shell:
        "ccl predict --bundle {params.folder:q} {params.inputs} --out {params.out:q} --device {resources.device}"
        " --threads {threads} {params.flags} > {log:q} 2>&1"
