"""Lists of mutations, a row for each variant: MAF files and the lists of Xena."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ccl.io.errors import InputError
from ccl.source.account import Account
from ccl.source.genes import NO_NAME
from ccl.source.matrix import Matrix, read_columns
from ccl.source.text import read_header

SILENT = frozenset(
    text.lower()
    for text in (
        "Silent", "Intron", "RNA", "lincRNA", "IGR", "3'UTR", "5'UTR", "3'Flank", "5'Flank", "Splice_Region",
        "synonymous_variant", "stop_retained_variant", "start_retained_variant", "splice_region_variant",
        "intron_variant", "intergenic_variant", "upstream_gene_variant", "downstream_gene_variant",
        "3_prime_UTR_variant", "5_prime_UTR_variant", "non_coding_transcript_exon_variant",
        "non_coding_transcript_variant", "mature_miRNA_variant", "NMD_transcript_variant",
    )
)  # fmt: skip
"""Classes of variants that do not change the protein, in MAF (GDC's MAF format) and in VEP's words, in lower case."""


def is_silent(effect: str) -> bool:
    """Tell whether a variant does not change the protein; of several effects, all must be silent.

    >>> is_silent("Silent"), is_silent("missense_variant;splice_region_variant")
    (True, False)
    """
    parts = effect.lower().replace("&", ";").replace(",", ";").split(";")
    return all(part.strip() in SILENT for part in parts)


class Layout(NamedTuple):
    """The names that the columns of a list may have, and how its comment lines start."""

    gene: Sequence[str]
    sample: Sequence[str]
    effect: Sequence[str]
    comment: str


MAF = Layout(("Hugo_Symbol",), ("Tumor_Sample_Barcode",), ("Variant_Classification",), "#")


def read_mutations(
    files: Sequence[Path],
    *,
    profiled: Collection[str],
    silent: bool,
    account: Account,
    layout: Layout = MAF,
    named: Callable[[Path, str], str] = lambda path, name: name,
) -> Matrix:
    """Read mutations as 1 (the gene is mutated in the sample) and 0.

    Parameters
    ----------
    files : sequence of Path
        Lists with a row for each variant, all of them together.
    profiled : collection of str
        Samples that were sequenced, whether or not they have a mutation; those in the lists are added.
    silent : bool
        Whether variants that do not change the protein count.
    named : callable
        Returns the sample of a file and of a name in it, as `profiled` names it.

    Raises
    ------
    InputError
        A column is missing, a file is damaged, or no variant is left.
    """
    lists = [_read_list(path, layout, named, silent=silent) for path in files]
    classes = sum((one.classes for one in lists), Counter[str]())
    account.tell(
        "snv",
        variants=classes.total(),
        silent_not_counted=0 if silent else sum(count for name, count in classes.items() if is_silent(name)),
        without_a_gene=sum(one.nameless for one in lists),
        classes=dict(classes.most_common()),
    )
    samples = dict.fromkeys([*profiled, *(name for one in lists for name in one.samples)])
    return as_matrix({pair for one in lists for pair in one.pairs}, list(samples), origin=_origin(files))


class _List(NamedTuple):
    """A list of mutations."""

    pairs: set[tuple[str, str]]
    """Gene and sample of the variants that count."""
    samples: list[str]
    classes: Counter[str]
    """Variants by class."""
    nameless: int
    """Variants without a gene or a sample."""


def _read_list(path: Path, layout: Layout, named: Callable[[Path, str], str], *, silent: bool) -> _List:
    header = read_header(path, comment=layout.comment)
    columns = [header.column(*names) for names in (layout.gene, layout.sample, layout.effect)]
    found = read_columns(header, columns)
    genes, samples, effects = (found[name] for name in columns)
    names = [named(path, text) for text in samples.texts]
    whole = genes.mask(lambda name: name not in NO_NAME) & (samples.codes >= 0)
    counted = whole if silent else whole & ~effects.mask(is_silent)
    places = set(zip(genes.codes[counted].tolist(), samples.codes[counted].tolist(), strict=True))
    return _List(
        {(genes.texts[gene], names[sample]) for gene, sample in places},
        names,
        Counter({text: int((effects.codes == at).sum()) for at, text in enumerate(effects.texts)}),
        int((~whole).sum()),
    )


def _origin(files: Sequence[Path]) -> str:
    return str(files[0]) if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"


def as_matrix(pairs: Iterable[tuple[str, str]], samples: Sequence[str], *, origin: str) -> Matrix:
    """Return the matrix of genes that are mutated in samples, 1, and 0 elsewhere.

    Raises
    ------
    InputError
        There are no pairs.
    """
    every = list(pairs)
    if not every:
        raise InputError(
            "no mutation is left",
            where=origin,
            found="only silent variants, or none",
            expected="variants that change a protein",
            todo="check the column of classes, or set `from: snv: silent: true`",
        )
    genes = sorted({gene for gene, _ in every})
    row = {gene: at for at, gene in enumerate(genes)}
    column = {name: at for at, name in enumerate(samples)}
    values = np.zeros((len(genes), len(samples)), dtype=np.float32)
    values[[row[gene] for gene, _ in every], [column[name] for _, name in every]] = 1
    return Matrix(tuple(genes), tuple(samples), values, origin)
