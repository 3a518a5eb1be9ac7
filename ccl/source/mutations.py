"""Lists of mutations, a row for each variant: MAF files and the lists of Xena."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

import numpy as np

from ccl.io.errors import InputError
from ccl.source.account import Account
from ccl.source.genes import NO_NAME
from ccl.source.matrix import Column, Matrix, read_columns
from ccl.source.text import Header, read_header

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


def read_mutations(
    files: Sequence[Path],
    *,
    profiled: Collection[str],
    silent: bool,
    account: Account,
    gene: Sequence[str] = ("Hugo_Symbol",),
    sample: Sequence[str] = ("Tumor_Sample_Barcode",),
    effect: Sequence[str] = ("Variant_Classification",),
    comment: str = "#",
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
    gene, sample, effect : sequence of str
        Names that the columns may have.
    named : callable
        Returns the sample of a file and of a name in it, as `profiled` names it.

    Raises
    ------
    InputError
        A column is missing, a file is damaged, or no variant is left.
    """
    pairs: set[tuple[str, str]] = set()
    seen: dict[str, None] = dict.fromkeys(profiled)
    classes: Counter[str] = Counter()
    nameless = 0
    for path in files:
        header = read_header(path, comment=comment)
        columns = [header.column(*names) for names in (gene, sample, effect)]
        genes, samples, effects = _read(header, columns)
        names = [named(path, text) for text in samples.texts]
        seen.update(dict.fromkeys(names))
        classes.update({text: int((effects.codes == at).sum()) for at, text in enumerate(effects.texts)})
        counted = genes.mask(lambda name: name not in NO_NAME) & (samples.codes >= 0)
        nameless += int((~counted).sum())
        if not silent:
            counted &= ~effects.mask(is_silent)
        places = {(int(g), int(s)) for g, s in zip(genes.codes[counted], samples.codes[counted], strict=True)}
        pairs |= {(genes.texts[g], names[s]) for g, s in places}
    ignored = {} if silent else {name: count for name, count in classes.items() if is_silent(name)}
    account.tell(
        "snv",
        variants=sum(classes.values()),
        silent_not_counted=sum(ignored.values()),
        without_a_gene=nameless,
        classes=dict(classes.most_common()),
    )
    return as_matrix(pairs, list(seen), origin=_origin(files))


def _read(header: Header, columns: Sequence[str]) -> tuple[Column, Column, Column]:
    found = read_columns(header, columns)
    genes, samples, effects = (found[name] for name in columns)
    return genes, samples, effects


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
