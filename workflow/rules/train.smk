rule train:
    input:
        unpack(train_input),
    output:
        history="<results>/{cohort}/train/{encoder}/{model}/fold{fold}/history.csv",
        predictions="<results>/{cohort}/train/{encoder}/{model}/fold{fold}/predictions.csv",
        model="<results>/{cohort}/train/{encoder}/{model}/fold{fold}/model.safetensors",
        run="<results>/{cohort}/train/{encoder}/{model}/fold{fold}/run.json",
    log:
        "<logs>/train/{cohort}/{encoder}/{model}.fold{fold}.log",
    benchmark:
        "<benchmarks>/train/{cohort}/{encoder}/{model}.fold{fold}.tsv"
    conda:
        "../../envs/ccl.yaml"
    resources:
        # How a job uses the machine, not what it computes: a change runs nothing again.
        gpu=gpus("train"),
        device=config["train"]["device"],
        bags=config["train"]["bags"],
        mem_mb=8000,
        runtime=480,
    params:
        version=lambda w: train.version(method_of(w.model), track_of(w.model)),
        method=lambda w: method_of(w.model),
        track=lambda w: track_of(w.model),
        owners=lambda w: owners(w) if "bags" in reads(w.model) else "",
        inputs=as_options,
        flags=train_flags,
        overrides=overrides,
        kind=lambda w: (
            "--synthetic" if config["cohorts"][w.cohort]["synthetic"] else "--real"
        ),
        out=subpath(output.run, parent=True),
    shell:
        "ccl train --cohort {wildcards.cohort} --encoder {wildcards.encoder} --model {wildcards.model}"
        " --method {params.method} --track {params.track} --fold {wildcards.fold} {params.inputs} --out {params.out:q} --overrides {params.overrides:q}"
        " {params.kind} --device {resources.device} --bags {resources.bags} --threads {threads} {params.flags} > {log:q} 2>&1"
