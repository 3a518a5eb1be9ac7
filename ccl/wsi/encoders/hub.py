"""Downloading an encoder's weights from the Hugging Face hub, with errors that say what to do."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from huggingface_hub import hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import EntryNotFoundError, GatedRepoError

from ccl.io.errors import ConfigError
from ccl.wsi.encoders import Encoder

TIMM_FILES = ("model.safetensors", "pytorch_model.bin")
"""The files that timm looks for in a repository, in timm's order."""


def download(encoder: Encoder) -> Path:
    """Return the file of the encoder's weights, downloaded or from the hub's cache.

    Raises
    ------
    ConfigError
        The weights are gated and this account has no access, or the hub cannot be reached.
    """
    *others, last = _files(encoder)
    try:
        for file in others:
            with suppress(EntryNotFoundError):
                return Path(hf_hub_download(encoder.repo, file))
        return Path(hf_hub_download(encoder.repo, last))
    except (OSError, EntryNotFoundError) as error:
        raise unavailable(encoder, error) from error


def cached(encoder: Encoder) -> Path | None:
    """Return the file of the encoder's weights in the hub's cache, or None; nothing is downloaded."""
    if encoder.repo:
        for file in _files(encoder):
            path = try_to_load_from_cache(encoder.repo, file)
            if isinstance(path, str):
                return Path(path)
    return None


def _files(encoder: Encoder) -> tuple[str, ...]:
    """Return the files that may hold the encoder's weights, in the order of the search."""
    return (encoder.file,) if encoder.file else TIMM_FILES


def unavailable(encoder: Encoder, error: Exception) -> ConfigError:
    """Return the error that says how to get the weights."""
    file = f"{encoder.repo}/{encoder.file or TIMM_FILES[0]}"
    by_hand = (
        f"on a machine with a connection download {file} from {encoder.page}, copy it here and set "
        f"`embed: encoders: {encoder.name}: weights:` to its path"
    )
    if isinstance(error, GatedRepoError):
        return ConfigError(
            "the encoder's weights are gated, and this account has no access",
            where=f"encoder {encoder.name} ({file})",
            found=" ".join(str(error).split())[:200],
            expected=f"a Hugging Face account that accepted the licence ({encoder.licence})",
            todo=f"{grant(encoder)}; or {by_hand}",
        )
    return ConfigError(
        "the hub's weights cannot be downloaded",
        where=f"encoder {encoder.name} ({file})",
        found=" ".join(str(error).split())[:200],
        expected="a connection, or the weights in the hub's local cache",
        todo=by_hand if encoder.access == "open" else f"{by_hand}; to download, {grant(encoder)}",
    )


def grant(encoder: Encoder) -> str:
    """Return how to get access to gated weights."""
    return (
        f"accept the licence at {encoder.page} with your Hugging Face account, then run `hf auth login` or set HF_TOKEN"
    )
