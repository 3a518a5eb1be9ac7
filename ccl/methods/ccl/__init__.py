"""CCL: cohort-individual cooperative learning (Zhou, Zhou, Chen, IEEE TMI 2024).

Genomics and pathology become one vector each, F_g and F_p.  Encoders decompose them into common (C), synergistic (S),
genomic-specific (G) and pathology-specific (P) knowledge, and a small transformer fuses these.  In training, cohort
guidance tells the encoders what to extract (:mod:`ccl.methods.ccl.guidance`).

The defaults follow the equations as printed, and the released code where the paper is silent; ``preset: released`` is
the released network.  Both presets follow the release in these points: the modality encoders (one layer with
normalisation), the sigmoid of the co-attention (without it equation (2) is a cubic form of its inputs, and gradient
descent at the paper's learning rate tends to diverge), the similarity of patients, the measure of the alignment, the
initial anchor (normal noise, so the seed decides the order of the phenotypes) and alpha (1).

Shapes: S replicas, B patients, k clusters of D features, d channels, n encoders of both modalities.
"""

from __future__ import annotations

from typing import Literal

from ccl.config.keys import key, section
from ccl.io.errors import ConfigError
from ccl.methods.declaration import Method, Recipe
from ccl.nn import HEADS


@section
class Hyper:
    """Hyper-parameters and options of CCL; the defaults are the preset ``paper``."""

    width: int = key(256, "channels d of every representation", ge=HEADS, multiple_of=HEADS)
    dropout: float = key(0.15, "rate of alpha dropout in the self-normalising layers", ge=0, le=0.9)
    shared_snn: bool = key(False, "whether the families share their second self-normalising layer, as released")
    aggregate: Literal["linear", "standardised"] = key(
        "linear",
        "f_c1, from several vectors to one: linear as printed; standardised, with ReLU, as released",
    )

    align: bool = key(
        True, "cluster centre alignment (CCA in Table IV); without it centres stay in the order of K-means"
    )
    anchor_update: float = key(0.1, "share tau of a training patient's aligned centres in the new anchor", ge=0, le=1)
    anchor_init: Literal["noise", "first_patient"] = key("noise", "initial anchor")
    match: Literal["l1", "cosine"] = key("l1", "distance between a centre and its row of the anchor")

    decompose: bool = key(
        True, "multimodal knowledge decomposition (MKD in Table IV); without it F_g and F_p are fused as they are"
    )
    common_encoders: int = key(1, "encoders of common knowledge (Table VI)", ge=0, le=8)
    synergy_encoders: int = key(1, "encoders of synergistic knowledge (Table VI)", ge=0, le=8)
    free_encoders: int = key(
        0,
        "encoders of both modalities without guidance (Table VI: of 5 encoders, 3 are free)",
        ge=0,
        le=8,
    )
    projection: Literal["linear", "mlp"] = key(
        "linear", "fc of equation (3): linear as printed; with normalisation and ReLU as released"
    )
    values: Literal["raw", "projected"] = key(
        "raw", "values of the attention in equation (2): F_g and F_p as printed, or their projections as released"
    )
    gate: Literal["sigmoid", "linear"] = key(
        "sigmoid", "attention of equation (2): through a sigmoid as released, or linear; linear tends to diverge"
    )
    fusion: Literal["vanilla", "padded", "exact"] = key(
        "vanilla",
        "transformer: vanilla as printed; padded, TransMIL's layers on 128 positions as released; exact, on the tokens",
    )

    guide: bool = key(True, "cohort guidance (CGM in Table IV)")
    cohort_weight: float = key(1.0, "weight alpha of the cohort losses beside the likelihood: equation (9)", ge=0)
    knowledge_terms: Literal["GPCS", "GPS", "GPC", "PCS", "GCS", "none"] = key(
        "GPCS", "components whose constraints enter equation (4) (Table VII)"
    )
    knowledge_reduction: Literal["sum", "mean"] = key(
        "sum", "equation (4): the sum of its terms as printed; their mean plus one as released"
    )
    groups: int = key(4, "risk groups r", ge=2, le=100)
    groups_by: Literal["time", "intervals"] = key(
        "time", "groups of equal size by follow-up time as printed, or the survival intervals as released"
    )
    bank: Literal["all", "per_group"] = key(
        "all", "the bank keeps the last b patients in total, as printed, or of each group, as released"
    )
    bank_length: int = key(10, "bank length b", ge=1, le=10_000)
    self_positive: bool = key(
        False,
        "whether patients enter the bank before their loss, and censored ones are attracted to themselves, as released",
    )
    similarity: Literal["elementwise", "dot", "cosine"] = key(
        "elementwise",
        "d of equation (5) for components x, y: mean over channels of exp(x y / 2) as released; exp(x . y / 2); "
        "exp(cos(x, y) / 2)",
    )
    patient_reduction: Literal["sum", "mean"] = key(
        "sum", "the sets of equation (5) count by their sums, as printed, or by their means, as released"
    )
    per_component: bool = key(True, "one loss for each component as printed, or one for all together as released")

    def __post_init__(self) -> None:
        """Raise ConfigError for options that contradict each other."""
        if self.guide and not self.decompose:
            raise ConfigError(
                "cohort guidance needs the components that it guides",
                where="guide",
                found="guide: true, decompose: false",
                expected="decompose: true, or no guidance",
                todo="set `guide: false` too",
            )

    @property
    def encoders(self) -> tuple[str, ...]:
        """The kind of each encoder of both modalities; none without decomposition."""
        counts = {"common": self.common_encoders, "synergy": self.synergy_encoders, "free": self.free_encoders}
        return tuple(kind for kind in counts for _ in range(counts[kind] if self.decompose else 0))


METHOD = Method(
    name="ccl",
    reads=("clusters", "genomics"),
    citation="Zhou, Zhou, Chen, IEEE Trans. Med. Imaging 2024",
    parameters=3_503_638,
    hyper=Hyper,
    presets={
        "paper": {},
        "released": {
            "shared_snn": True,
            "aggregate": "standardised",
            "projection": "mlp",
            "values": "projected",
            "fusion": "padded",
            "knowledge_reduction": "mean",
            "groups_by": "intervals",
            "bank": "per_group",
            "self_positive": True,
            "patient_reduction": "mean",
            "per_component": False,
        },
    },
    native=Recipe("sgd", lr=1e-3, weight_decay=1e-5, epochs=30),
    attention="CCL has no softmax over clusters or families. With its gates, normalisations and cuts at zero fixed at"
    " their values for this patient, each component is a sum of one vector per cluster and one per family. Attention is"
    " a vector's share of the total length. It says how much of the component's content comes from the cluster or the"
    " family, not whether it raised or lowered the risk.",
    decomposes=True,
)
