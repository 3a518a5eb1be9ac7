"""The versions of stages: a parameter of each rule, as Snakemake does not see a change of the package's code."""

from __future__ import annotations

from collections.abc import Mapping

from ccl import added, clinical, cluster, cohort, components, evaluate, explain, genomics, predict, report
from ccl.io import interop
from ccl.paper import ablations, figures, table1
from ccl.wsi import embed, quality, tile, tissue

VERSIONS: Mapping[str, int] = {
    "cohort": cohort.VERSION,
    "tissue": tissue.VERSION,
    "tile": tile.VERSION,
    "quality": quality.VERSION,
    "embed": embed.VERSION,
    "import": interop.VERSION,
    "genomics": genomics.VERSION,
    "clinical": clinical.VERSION,
    "cluster": cluster.VERSION,
    "evaluate": evaluate.VERSION,
    "added": added.VERSION,
    "explain": explain.VERSION,
    "components": components.VERSION,
    "report": report.VERSION,
    "table1": table1.VERSION,
    "ablations": ablations.VERSION,
    "figures": figures.VERSION,
    "bundle": predict.BUNDLE_VERSION,
    "predict": predict.VERSION,
}
"""By rule; what training makes has a version for each method (:func:`ccl.train.version`)."""
