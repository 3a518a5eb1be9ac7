# `snakemake bundle`, no part of the default target, packs every model of the config for new patients.
rule bundle:
    input:
        [
            f"<results>/{cohort}/bundle/{encoder}/{model}/bundle.json"
            for cohort, encoder, model in runs()
        ],
    localrule: True


rule bundle_model:
    input:
        unpack(bundle_input),
    output:
        card="<results>/{cohort}/bundle/{encoder}/{model}/bundle.json",
        weights="<results>/{cohort}/bundle/{encoder}/{model}/model.safetensors",
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
        version=predict.BUNDLE_VERSION,
        owners=lambda w: owners(w) if reads_slides(w.model) else "",
        inputs=network_options,
        preprocessing=preprocessing,
        flags=flags("bundle"),
        out=subpath(output.card, parent=True),
    shell:
        "ccl bundle {params.inputs} --preprocessing {params.preprocessing:q} --out {params.out:q}"
        " {params.flags} > {log:q} 2>&1"


rule predict:
    input:
        asked_predictions,
    localrule: True


rule predict_cohort:
    input:
        unpack(predict_input),
    output:
        risk="<results>/{cohort}/predict/{bundle}/risk.csv",
        left_out="<results>/{cohort}/predict/{bundle}/left_out.csv",
        facts="<results>/{cohort}/predict/{bundle}/predict.json",
    log:
        "<logs>/predict/{cohort}/{bundle}.log",
    benchmark:
        "<benchmarks>/predict/{cohort}/{bundle}.tsv"
    conda:
        "../../envs/ccl.yaml"
    resources:
        # How a job uses the machine, not what it computes: a change runs nothing again.
        gpu=gpus("train"),
        device=config["train"]["device"],
        mem_mb=8000,
        runtime=120,
    params:
        version=predict.VERSION,
        folder=lambda w: str(bundle_folder(w.cohort, w.bundle)),
        owners=lambda w: owners(w) if CARDS[w.cohort, w.bundle].reads_slides else "",
        inputs=lambda w, input: as_options(w, input, without=("bundle",)),
        flags=flags("predict"),
        out=subpath(output.risk, parent=True),
    shell:
        "ccl predict --bundle {params.folder:q} {params.inputs} --out {params.out:q} --device {resources.device}"
        " --threads {threads} {params.flags} > {log:q} 2>&1"
