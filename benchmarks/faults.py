"""Damage the inputs of every stage and count how the stages end.

    python benchmarks/faults.py --cases 200 --seed 0 --folder /tmp/faults

A small cohort runs through the whole graph once.  Then each case copies the finished folder, damages one input file of
one command of the graph, runs that command, and compares what it wrote with the first run.  The classes are:

success            it ended well, with the same files as before, or the damaged file is one that the user gives
own error          it ended with one message of ccl, and without a traceback
traceback          it ended with a traceback
hang               it did not end in time
silent wrong       it ended well, but read a damaged file of an earlier stage and wrote something else than before
changed elsewhere  it changed a file outside its own folders

Case n of a seed is the same on every machine; `--first` continues after the cases that are done.  Results are appended
to `{folder}/cases.tsv`.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import yaml

from ccl.io.formats import read_manifest

ROOT = Path(__file__).parents[1]
LIMIT_S = 300
"""Time of a command, after which it hangs."""

VOLATILE = re.compile(r"seconds|cost|\.sha256|benchmarks/|logs/|\.snakemake")
"""Files and entries that differ from run to run."""

CONFIG = {
    "results": "results",
    "data": "data",
    "shards": 1,
    "demo": {"patients": 6, "seed": 3},
    "cohorts": {
        "tiny": {
            "patients": "patients.csv",
            "slides": "slides.csv",
            "omics": {kind: f"{kind}.csv" for kind in ("rna", "cnv", "snv")},
            "gmt": "families.gmt",
            "synthetic": True,
        }
    },
    "cohort": {"n_folds": 2},
    "embed": {"encoders": {"resnet50": {"weights": "random"}}, "device": "cpu"},
    "cluster": {"k": 3, "restarts": 1},
    "models": {"ccl": {}, "attmil": {"width": 16}},
    "train": {"epochs": 1, "intervals": 2, "device": "cpu"},
}


def flip(content: bytearray, rng: np.random.Generator) -> None:
    """Flip one bit."""
    content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))


def blank(content: bytearray, rng: np.random.Generator) -> None:
    """Write zeros over up to 512 bytes, as a bad block does."""
    start = int(rng.integers(len(content)))
    end = min(len(content), start + 512)
    content[start:end] = bytes(end - start)


def cut(content: bytearray, rng: np.random.Generator) -> None:
    """Cut the file short."""
    del content[int(rng.integers(len(content))) :]


def overwrite(content: bytearray, rng: np.random.Generator) -> None:
    """Write random bytes over up to 16 bytes."""
    start = int(rng.integers(len(content)))
    end = min(len(content), start + 16)
    content[start:end] = rng.bytes(end - start)


DAMAGES: Sequence[Callable[[bytearray, np.random.Generator], None]] = (flip, blank, cut, overwrite)


def snakemake(folder: Path, *options: str) -> str:
    """Run Snakemake in a folder and return what it prints."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    command += ["--configfile", str(folder / "config.yaml"), "--cores", "2", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return done.stdout + done.stderr


def prepare(folder: Path) -> tuple[Path, list[list[str]]]:
    """Run the graph once; return its folder and the commands of its jobs."""
    finished, listed = folder / "finished", folder / "commands.txt"
    if not listed.exists():
        shutil.rmtree(finished, ignore_errors=True)
        finished.mkdir(parents=True)
        (finished / "config.yaml").write_text(yaml.safe_dump(CONFIG))
        snakemake(finished)
        shown = snakemake(finished, "--dry-run", "--forceall", "--printshellcmds")
        found = re.findall(r"(?:^|Shell command: )(ccl .*)$", shown, flags=re.MULTILINE)
        listed.write_text("".join(f"{line}\n" for line in found))
    commands = [shlex.split(line.split(" > ")[0]) for line in listed.read_text().splitlines()]
    return finished, [command for command in commands if command[1] != "demo"]


def inputs_of(command: Sequence[str], folder: Path) -> list[Path]:
    """Return the files that a command names, those in named folders of a run, and those that its manifests list."""
    skipped = {"--out", "--manifest"}
    named = [Path(word) for before, word in pairwise(command) if before not in skipped and len(word) < 200]
    files = [path for path in named if (folder / path).is_file()]
    files += [
        path.relative_to(folder)
        for word in named
        if (folder / word).is_dir() and "fold" in word.name
        for path in sorted((folder / word).iterdir())
        if path.is_file()
    ]
    for manifest in [path for path in files if path.suffix == ".tsv"]:
        listed = [Path(os.path.normpath(row.path)) for row in read_manifest(folder / manifest)]
        files += [path.relative_to(folder) for path in listed if path.is_relative_to(folder) and path.exists()]
    return sorted(dict.fromkeys(files))


def clear(command: Sequence[str], folder: Path) -> None:
    """Remove what a command made before, so that it reads its inputs."""
    for option, word in pairwise(command):
        path = folder / word
        if option in ("--out", "--manifest"):
            made = [path, path.with_suffix("")] if path.is_file() else [path]
            for each in made:
                shutil.rmtree(each, ignore_errors=True) if each.is_dir() else each.unlink(missing_ok=True)


def state(folder: Path) -> dict[str, str]:
    """Return the content of all files that do not differ from run to run."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and not VOLATILE.search(name):
            content = path.read_bytes()
            if path.suffix == ".json":
                content = re.sub(rb'"(seconds|peak)[^,}]*', b"", content)
            if path.name != "history.csv":
                found[name] = str(hash(content))
    return found


def call(command: Sequence[str], folder: Path, log: Path) -> int | None:
    """Run a command of ccl in a folder, in a process of this one's kind; return its exit code, or None if it hangs."""
    child = os.fork()
    if not child:
        os.setsid()
        os.chdir(folder)
        with log.open("w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        sys.argv = list(command)
        code = 1
        try:
            from ccl.cli import main

            main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:
            import traceback

            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def run_case(number: int, seed: int, folder: Path, only: Sequence[str] | None = None) -> tuple[str, str, str, str]:
    """Return the stage, the damaged file, the damage and the class of one case."""
    finished, commands = prepare(folder)
    commands = [command for command in commands if not only or command[1] in only]
    rng = np.random.default_rng((seed, number))
    command = commands[number % len(commands)]
    victims = [path for path in inputs_of(command, finished) if (finished / path).stat().st_size]
    victim = victims[int(rng.integers(len(victims)))]
    damage = DAMAGES[int(rng.integers(len(DAMAGES)))]
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(finished, work)
    content = bytearray((work / victim).read_bytes())
    while content == (work / victim).read_bytes():  # a block may have been blank before
        damage(content, rng)
    (work / victim).write_bytes(content)
    before = state(work)
    clear(command, work)
    code = call(command, work, folder / "log.txt")
    changed = {name for name, content in state(work).items() if before.get(name) != content}
    own = tuple(word for before, word in pairwise(command) if before in ("--out", "--manifest"))
    text = (folder / "log.txt").read_text(errors="replace")
    if code is None:
        found = "hang"
    elif "Traceback (most recent call last)" in text or code < 0:
        found = "traceback"
    elif any(not name.startswith(own) and str(Path(name).with_suffix("")) not in own for name in changed):
        found = "changed elsewhere"
    elif code:
        found = "own error"
    else:
        found = "silent wrong" if changed and victim.parts[0] == "results" else "success"
    if found not in ("success", "own error"):
        shutil.copyfile(folder / "log.txt", folder / f"case{seed}.{number}.txt")
    return command[1], str(victim), damage.__name__, found


def main() -> None:
    """Run the cases and print the table of classes by stage."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("results/faults"))
    parser.add_argument("--only", nargs="*", help="stages; all if none is named")
    options = parser.parse_args()
    prepare(options.folder)
    import torch

    torch.set_num_threads(1)  # a process that has used threads cannot be copied
    counts: Counter[tuple[str, str]] = Counter()
    for number in range(options.first, options.first + options.cases):
        stage, victim, damage, found = run_case(number, options.seed, options.folder, options.only)
        counts[stage, found] += 1
        with (options.folder / "cases.tsv").open("a") as file:
            print(options.seed, number, stage, victim, damage, found, sep="\t", file=file, flush=True)
    for (stage, found), count in sorted(counts.items()):
        print(f"{stage:12} {found:18} {count}")


if __name__ == "__main__":
    main()
