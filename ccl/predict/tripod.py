"""The items of TRIPOD+AI, with what a bundle knows of each.

TRIPOD+AI lists what a report of a prediction model has to say (Collins et al., BMJ 2024;385:e078378).
"""

from __future__ import annotations

from collections.abc import Mapping

from ccl.pages.numbers import percent, plural
from ccl.predict.card import Card

OPEN = "Open: only the developers know this."

ITEMS: Mapping[str, str] = {
    "1": "Title", "2": "Abstract", "3": "Background", "4": "Objectives", "5": "Sources of data and dates",
    "6": "Participants: setting, eligibility, treatments", "7": "Data preparation", "8": "Outcome", "9": "Predictors",
    "10": "Sample size", "11": "Missing data", "12": "Analytical methods", "13": "Class imbalance", "14": "Fairness",
    "15": "Model output", "16": "Training versus evaluation", "17": "Ethical approval", "18a": "Funding",
    "18b": "Conflicts of interest", "18c": "Protocol", "18d": "Registration", "18e": "Data sharing",
    "18f": "Code sharing", "19": "Patient and public involvement", "20": "Participants: results",
    "21": "Model development", "22": "Model specification", "23": "Model performance", "24": "Model updating",
    "25": "Interpretation", "26": "Limitations", "27": "Usability in the context of current care",
}  # fmt: skip
"""Number and heading of each item."""


def tripod(card: Card, *, outside: bool) -> list[tuple[str, str]]:
    """Return each item, as number and heading, with what the bundle knows of it or :data:`OPEN`.

    Parameters
    ----------
    card : Card
        The bundle.
    outside : bool
        Whether the card shows an external validation.
    """
    known = {**_methods(card), **_results(card, outside=outside)}
    return [(f"{item}. {heading}", known.get(item) or OPEN) for item, heading in ITEMS.items()]


def _methods(card: Card) -> dict[str, str]:
    training = card.training or {}
    about = training.get("about", "")
    covariates = ", ".join(row["name"] for row in card.covariates)
    genes = len({column for columns in card.families.values() for column in columns})
    reads = {
        "clusters": "slides, as clusters of patches",
        "bags": "slides, as patches",
        "vectors": f"a vector of each patient ({card.encoder})",
        "genomics": f"{genes} columns of omics, in gene families ({len(card.families)})",
        "clinical": f"covariates: {covariates}",
    }
    seeds = plural(len(card.seeds), "seed")
    return {
        "1": f"A model ({card.method}) that predicts the risk of death, trained on {card.cohort}.",
        "5": about,
        "6": about and "As far as item 5 says.",
        "7": f"Slides were prepared with {dict(card.preprocessing)}." if card.preprocessing else "",
        "8": "The time to death, or to the event that the training config names as its endpoint, in months; else the"
        " time of last follow-up. How deaths were found out is open.",
        "9": f"{'; '.join(reads[part] for part in card.reads)}.",
        "10": f"{plural(card.n_patients, 'patient')} with {plural(card.n_events, 'death')}. Why so many is open.",
        "11": "A missing gene or covariate counts as the mean of the training patients"
        + ("; patients without slides or omics are predicted too." if card.incomplete else "; patients who lack a"
           " whole part that the model reads were left out."),
        "12": f"{plural(len(card.folds), 'fold')} of cross-validation, {seeds} each; a risk is the mean of all"
        f" {card.networks} networks. Scaling comes from training patients alone.",
        "13": f"{percent(card.n_events / card.n_patients, 0)} of the patients died." if card.n_patients else "",
        "14": "See the sub-groups above." if (training.get("internal") or {}).get("added") else "",
        "15": f"A risk without unit; survival in months; high risk above {card.cut:.4g}, the median in training.",
        "16": "In cross-validation, patients of one cohort; outside, see above.",
        "18f": f"ccl {card.versions.get('ccl')}, Apache-2.0.",
    }  # fmt: skip


def _results(card: Card, *, outside: bool) -> dict[str, str]:
    internal = (card.training or {}).get("internal")
    table = "See Table 1 above." if (card.training or {}).get("covariates") else ""
    followed = internal and internal["follow_up"]
    followed_text = (
        f"Median follow-up {followed['median_months']:.1f} months; {percent(followed['censored'], 0)} censored. "
        if followed
        else ""
    )
    return {
        "20": f"{followed_text}{table}".strip(),
        "21": f"{plural(card.n_patients, 'patient')}, {plural(card.n_events, 'death')}.",
        "22": f"bundle.json and model.safetensors (sha256 {card.sha256}).",
        "23": "See above: inside" + (" and outside." if outside else "; outside is open.") if internal else "",
        "24": "The model was not updated; the recalibrated version of a validation is not part of it."
        if outside
        else "",
    }
