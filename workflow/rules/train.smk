rule train:
    input:
        unpack(plan.inputs.train),
        slides=ancient(plan.inputs.bag_sheet),
        manifests=plan.inputs.bag_manifests,
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
        # These are resources because they do not change the result: a change runs nothing again.
        gpu=plan.options.gpus("train"),
        device=plan.config.train.device,
        bags=plan.config.train.bags,
        mem_mb=8000,
        runtime=480,
    params:
        version=plan.options.train_version,
        method=plan.options.method,
        track=plan.options.track,
        owners=plan.options.owners_of_bags,
        inputs=plan.options.inputs,
        flags=plan.options.train,
        overrides=plan.options.overrides,
        kind=plan.options.label,
        out=subpath(output.run, parent=True),
    shell:
        "ccl train --cohort {wildcards.cohort} --encoder {wildcards.encoder} --model {wildcards.model}"
        " --method {params.method} --track {params.track} --fold {wildcards.fold} {params.inputs} --out {params.out:q} --overrides {params.overrides:q}"
        " {params.kind} --device {resources.device} --bags {resources.bags} --threads {threads} {params.flags} > {log:q} 2>&1"
