# What the rules of `predict` share: the bundles of the config, checked before anything runs.
from ccl import predict
from ccl.predict.card import CARD, WEIGHTS, read_card

SETTINGS |= {"bundle": predict.BundleSettings, "predict": predict.PredictSettings}


def bundle_folder(cohort, bundle):
    return Path(data_path(config["cohorts"][cohort]["predict_with"][bundle]))


def read_cards():
    """What each bundle that a cohort is judged by says of itself, by cohort and the bundle's name."""
    cards = {
        (cohort, name): read_card(bundle_folder(cohort, name))
        for cohort, entry in config["cohorts"].items()
        for name in entry.get("predict_with", {})
    }
    for (cohort, name), card in cards.items():
        check_bundle(card, cohort, place=f"cohorts: {cohort}: predict_with: {name}")
    return cards


def check_bundle(card, cohort, *, place):
    """Refuse a bundle that asks for what the cohort does not have, or was trained on slides prepared otherwise."""
    entry = config["cohorts"][cohort]
    wanted = {"slides": card.reads_slides, "omics": "genomics" in card.reads}
    lacking = [key for key in wanted if wanted[key] and key not in entry]
    if lacking:
        raise ConfigError(
            "a bundle asks for data that a cohort does not have",
            where=f"config, {place}",
            found=f"no {' and no '.join(lacking)}",
            expected=f"what {card.method} reads",
            todo=f"give {cohort} its data, or take the bundle out",
        )
    if not card.reads_slides:
        return
    if card.encoder not in encoders_of(cohort):
        raise ConfigError(
            "a bundle was trained with another encoder",
            where=f"config, {place}",
            found=", ".join(encoders_of(cohort)),
            expected=card.encoder,
            todo="name it in `embed: encoders`, or in the cohort's `features`",
        )
    for section, keys in compared_sections(card, entry).items():
        for key in keys:
            here, there = config[section][key], card.preprocessing[section].get(key)
            if here != there:
                raise ConfigError(
                    "the config prepares slides otherwise than those that a bundle was trained on",
                    where=f"config, {section}: {key}, and {place}",
                    found=str(here),
                    expected=str(there),
                    todo=f"set `{section}: {key}: {there}`",
                )
    if "features" not in entry:
        check_weights_kind(card, place=place)


def compared_sections(card, entry):
    """The keys of the config in which a bundle's training has to be followed, as far as the bundle tells them."""
    sections = {}
    if "features" not in entry:
        sections["tile"] = list(config["tile"])
    if "clusters" in card.reads:
        sections["cluster"] = [key for key in config["cluster"] if key != "k"]
    return {name: keys for name, keys in sections.items() if name in card.preprocessing}


def check_weights_kind(card, *, place):
    """Refuse weights that cannot be the bundle's, before days are spent on features; their hash is for the stage."""
    weights = config["embed"]["encoders"][card.encoder]["weights"]
    kind = weights if weights in ("hub", "random") else "file"
    kinds = [each.split(":")[0] for each in card.weights.split(", ")]
    if kind not in kinds:
        raise ConfigError(
            "a bundle was trained with other weights of the encoder",
            where=f"config, embed: encoders: {card.encoder}: weights, and {place}",
            found=weights,
            expected=card.weights,
            todo="name the weights that the bundle was trained with",
        )


try:
    CARDS = read_cards()
except CclError as error:
    raise WorkflowError(str(error))


def slide_inputs(wildcards):
    """The slides of a cohort with their features: for methods that read bags, and for the scale of the slides."""
    return {
        "slides": slide_sheet(wildcards),
        "manifests": manifests(wildcards.cohort),
    }


def predictions():
    """The risks of every cohort by every bundle that it names."""
    return [f"<results>/{cohort}/predict/{bundle}/risk.csv" for cohort, bundle in CARDS]


def asked_predictions(wildcards):
    if not CARDS:
        raise WorkflowError(
            "There is nobody to predict: `snakemake predict` needs a cohort with `predict_with`."
        )
    return predictions()


def bundle_input(wildcards):
    """The trained folds of a model and what they were trained on, by the names of their options."""
    files = {"models": network_files(wildcards), **train_input(wildcards)}
    if reads_slides(wildcards.model):
        files |= slide_inputs(wildcards)
    return files


def predict_input(wildcards):
    """A bundle's files, and those that its method reads, by the names of their options."""
    card = CARDS[wildcards.cohort, wildcards.bundle]
    folder = bundle_folder(wildcards.cohort, wildcards.bundle)
    files = {"bundle": [str(folder / CARD), str(folder / WEIGHTS)]}
    if "genomics" in card.reads:
        files["genomics"] = "<results>/{cohort}/genomics/genomics.h5"
    if "clusters" in card.reads:
        files["clusters"] = (
            f"<results>/{{cohort}}/cluster/{card.encoder}/k{card.shape['clusters']}.h5"
        )
    if card.reads_slides:
        files["slides"] = slide_sheet(wildcards)
        files["manifests"] = [
            path.replace("{encoder}", card.encoder)
            for path in manifests(wildcards.cohort)
        ]
    return files


def preprocessing(wildcards):
    """The sections of the config that made a model's inputs, as JSON; features made elsewhere were not tiled here."""
    sections = []
    if (
        reads_slides(wildcards.model)
        and "features" not in config["cohorts"][wildcards.cohort]
    ):
        sections += ["tissue", "tile"]
    if "clusters" in reads(wildcards.model):
        sections.append("cluster")
    made = {name: config[name] for name in sections}
    return json.dumps(made, sort_keys=True)
