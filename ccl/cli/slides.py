"""The sub-commands of slides, from tissue to features; no logic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ccl.cli.options import DEVICE, ON_BAD_SLIDE, PATH, THREADS
from ccl.config.cohort_sections import DownloadSettings
from ccl.config.options import key_option, settings_options
from ccl.config.sections import Embed, EmbedSettings, TileSettings, TissueSettings
from ccl.io.interop import LAYOUTS


def shard_options(command: Any) -> Any:
    """Add the options of all slide stages to a command."""
    for option in (
        click.option("--slides", type=PATH, required=True, help="sample sheet of slides"),
        click.option("--shard", type=int, required=True, help="number of this shard, from 0"),
        click.option("--shards", type=int, required=True, help="number of shards"),
        click.option("--out", type=PATH, required=True, help="folder of the slides' files"),
        click.option("--manifest", type=PATH, required=True, help="manifest to write"),
        ON_BAD_SLIDE,
        click.option("--overwrite", is_flag=True, help="make every slide again, even if finished"),
    ):
        command = option(command)
    return command


def run_slide_stage(stage: Any, *, slides: Path, shard: int, shards: int, upstream: Path | None, **rest: Any) -> None:
    """Run a slide stage over one shard."""
    from ccl.io.shards import Shard, run_shard
    from ccl.io.sheets import read_slide_sheet, shard_slides

    sheet = read_slide_sheet(slides)
    cohort = [slide.slide_id for slide in sheet]
    run_shard(stage, Shard(shard_slides(sheet, shard, shards), upstream, cohort=cohort, shards=shards, **rest))


UPSTREAM = click.option("--upstream", type=PATH, required=True, help="the shard's manifest of the previous stage")


@click.command("download")
@shard_options
@click.option("--files", type=PATH, required=True, help="GDC manifest of the files to download")
@click.option("--connections", type=int, default=4, show_default=True, help="files to download at a time")
@settings_options(DownloadSettings)
def download(settings: DownloadSettings, out: Path, slides: Path, files: Path, connections: int, **shard: Any) -> None:
    """Download the slides that a GDC manifest lists and that are missing."""
    from ccl.io.gdc import files_of_slides
    from ccl.io.sheets import read_slide_sheet
    from ccl.wsi.download.stage import DownloadStage

    sheet = read_slide_sheet(slides)
    stage = DownloadStage(out, settings, sheet, files_of_slides(sheet, files, sheet=slides), connections)
    run_slide_stage(stage, slides=slides, upstream=None, **shard)


@click.command("tissue")
@shard_options
@click.option("--upstream", type=PATH, help="the shard's manifest of `download`, if its slides are downloaded")
@click.option("--missing", multiple=True, help="slide known to be missing, which may be excluded (repeat)")
@settings_options(TissueSettings)
def tissue(settings: TissueSettings, out: Path, missing: tuple[str, ...], **shard: Any) -> None:
    """Outline the tissue of slides."""
    from ccl.wsi.tissue.stage import TissueStage

    run_slide_stage(TissueStage(out, settings, missing), **shard)


@click.command("tile")
@shard_options
@UPSTREAM
@settings_options(TileSettings)
def tile(settings: TileSettings, out: Path, **shard: Any) -> None:
    """Divide the tissue into a grid of patches."""
    from ccl.wsi.tile.stage import TileStage

    run_slide_stage(TileStage(out, settings), **shard)


@click.command("quality")
@click.option("--cohort", required=True, help="name of the cohort")
@click.option("--slides", type=PATH, required=True, help="sample sheet of slides")
@click.option("--tissue", type=PATH, multiple=True, required=True, help="manifest of tissue (repeat)")
@click.option("--tile", type=PATH, multiple=True, required=True, help="manifest of tiles (repeat)")
@click.option("--embed", type=PATH, multiple=True, help="manifest of features (repeat), to show what failed there")
@click.option("--out", type=PATH, required=True, help="folder of the table and the page")
@click.option("--synthetic/--real", default=False, help="whether the cohort is synthetic")
def quality(out: Path, **inputs: Any) -> None:
    """Show the slides of a cohort side by side."""
    from ccl.wsi.quality.stage import make_contact_sheet

    make_contact_sheet(out, **inputs)


@click.command("embed")
@shard_options
@UPSTREAM
@settings_options(EmbedSettings)
@key_option(Embed, "batch_size")
@DEVICE
@THREADS
def embed(settings: EmbedSettings, out: Path, batch_size: int, device: str, threads: int, **shard: Any) -> None:
    """Embed patches with an encoder."""
    import torch

    from ccl.io.devices import pick_device
    from ccl.wsi.embed.stage import EmbedStage

    torch.set_num_threads(threads)
    run_slide_stage(EmbedStage(out, settings, batch_size, pick_device(device), threads), **shard)


@click.command("gather")
@click.option("--slides", type=PATH, required=True, help="sample sheet of slides")
@click.option("--manifests", type=PATH, multiple=True, required=True, help="manifest of a shard of embed (repeat)")
@click.option("--manifest", type=PATH, required=True, help="manifest to write")
@ON_BAD_SLIDE
def gather(manifest: Path, **inputs: Any) -> None:
    """List the features of all shards in one manifest; fail if a slide is bad."""
    from ccl.wsi.gather import gather_features

    gather_features(manifest, **inputs)


@click.command("import")
@click.option("--slides", type=PATH, required=True, help="sample sheet of slides")
@click.option("--features", type=PATH, required=True, help="folder of features made by TRIDENT, CLAM or STAMP")
@click.option("--manifest", type=PATH, required=True, help="manifest to write")
@ON_BAD_SLIDE
def import_(manifest: Path, **inputs: Any) -> None:
    """Import features made by another tool."""
    from ccl.io.interop.importing import import_features

    import_features(manifest, **inputs)


@click.command("export")
@click.option("--layout", type=click.Choice(LAYOUTS), required=True, help="tool to write for")
@click.option("--slides", type=PATH, required=True, help="sample sheet of slides")
@click.option("--out", type=PATH, required=True, help="folder to write into")
@click.argument("manifests", type=PATH, nargs=-1, required=True)
def export(out: Path, **inputs: Any) -> None:
    """Write features and coordinates of the slides in MANIFESTS (of `embed`, `import` or `tile`) for another tool."""
    from ccl.io.interop.exporting import export_features

    export_features(out, **inputs)


COMMANDS = (download, tissue, tile, quality, embed, gather, import_, export)
