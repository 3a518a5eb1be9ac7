"""Ridge Cox regression on factors that can be read: of gene families, of patch phenotypes, and of their products.

Factors are found without the outcome.  Those of a gene family are its leading principal components; their number is
chosen by cross-validation among the training patients.  Phenotypes are clusters of the patches of all training
patients.  A patient has factors of the phenotypes' shares, and of the mean patch of each phenotype.  A ridge Cox model
of these factors is linear.  The products of a gene factor and a slide factor that explain most of what it leaves (score
test) are added to it, and the model is fitted again.  The p-value of a product counts the search: residuals are
permuted among the patients, and each time the largest score of all products is taken.

Penalties are chosen as for ``cox-genomics``, and covariates (`clinical: true`) have the same light penalty of their
own.
"""

from __future__ import annotations

from dataclasses import replace

from ccl.config.keys import key, section
from ccl.methods.declaration import Method


@section
class Hyper:
    """Hyper-parameters of the Cox models on factors."""

    factors: int = key(
        0, "principal components of each gene family; 0 chooses 1, 3 or 6 by cross-validation among training patients",
        ge=0, le=6,
    )  # fmt: skip
    phenotypes: int = key(6, "clusters of the patches of all training patients", ge=2)
    looks: int = key(2, "principal components of the mean patch of each phenotype", ge=1)
    products: int = key(5, "products of a gene factor and a slide factor that are added", ge=0)
    penalty: float = key(0.0, "ridge penalty of the factors; 0 chooses one by cross-validation", ge=0)
    clinical_penalty: float = key(0.01, "ridge penalty of the covariates", gt=0)


GENOMICS = Method(
    name="cox-factors-genomics",
    reads=("genomics",),
    citation="Cox, J. R. Stat. Soc. B 1972; principal components: Bair et al., J. Am. Stat. Assoc. 2006",
    parameters=36,
    hyper=Hyper,
)
MULTIMODAL = replace(GENOMICS, name="cox-factors", reads=("bags", "genomics"), parameters=58)
