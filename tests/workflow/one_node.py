"""A SLURM of one node, started from Debian's packages `slurm-wlm` and `munge` and gone without a trace.

It lives in namespaces of its own: its files lie over /etc/slurm for its own processes alone, its network is a loopback
that nothing else can reach, and all its processes end with the first of them. The node claims 8 cores, 64 GB and a GPU
that does not exist: nothing here is about speed, or enforces what a job asked for.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.workflow.workspace import ROOT

PROGRAMS = ("unshare", "nsenter", "ip", "munged", "slurmctld", "slurmd", "sbatch")

CONF = """\
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
ReturnToService=2
SlurmdParameters=config_overrides
MpiDefault=none
MinJobAge=3600
NodeName={host} NodeAddr=127.0.0.1 CPUs=8 RealMemory=64000 Gres=gpu:toy:1 State=UNKNOWN
NodeName=asleep NodeAddr=127.0.0.1 Port=6820 CPUs=8 RealMemory=64000 State=DOWN
PartitionName=normal Nodes={host} Default=YES
PartitionName=gpu Nodes={host}
PartitionName=without-gpu Nodes=asleep
"""

# A loopback alone counts as no network for the resolver: it wants an address that is not 127.0.0.1.
START = """\
set -eu
mount --bind "$1/etc" /etc/slurm
ip link set lo up
ip address add 192.0.2.1/32 dev lo
munged --force --key-file="$1/munge/key" --socket="$1/munge/socket" --pid-file="$1/munge/pid" \
  --log-file="$1/munge/log" --seed-file="$1/munge/seed"
slurmctld
slurmd
echo started
exec cat
"""


class OneNode:
    """A running SLURM, and commands in it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        first = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0]
        self.enter = ["nsenter", "--target", first, "--mount", "--net", "--pid", f"--wd={ROOT}"]

    def call(self, *command: str) -> str:
        """Call a command of SLURM and return what it says."""
        done = subprocess.run([*self.enter, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def jobs(self) -> list[dict[str, str]]:
        """Return what the scheduler knows of every job so far, in order."""
        lines = self.call("scontrol", "show", "job", "--oneliner").splitlines()
        jobs = [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in lines if line.startswith("JobId=")]
        return sorted(jobs, key=lambda job: int(job["JobId"]))

    def wait(self, comment: str, *states: str, seconds: float = 300) -> str:
        """Wait until a job whose comment starts so is in one of the states; return its number."""
        return until(lambda: self._find(comment, states), f"{comment} in {states}", seconds)

    def _find(self, comment: str, states: tuple[str, ...]) -> str | None:
        found = [j["JobId"] for j in self.jobs() if j["Comment"].startswith(comment) and j["JobState"] in states]
        return found[-1] if found else None

    @property
    def node(self) -> str:
        """The node's name."""
        return socket.gethostname().split(".")[0]


def until(find: Callable[[], str | None], what: str, seconds: float) -> str:
    """Call `find` until it returns something, and return that; fail after so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = find()
        if found is not None:
            return found
        time.sleep(0.5)
    pytest.fail(f"waited {seconds} s for {what}")


@contextmanager
def one_node(folder: Path) -> Iterator[OneNode]:
    """Start a SLURM with its files in `folder`, whose path has no space; skip the test where that cannot be."""
    if os.geteuid() != 0:
        pytest.skip("a SLURM of one node needs root")
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        pytest.skip(f"no {', '.join(missing)}: apt-get install slurm-wlm munge iproute2")
    _write_files(folder)
    command = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    with subprocess.Popen(
        [*command, "bash", "-c", START, "bash", str(folder)],
        stdin=subprocess.PIPE,  # the first process ends with it, and takes all others along
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            said = _first_words(process)
            if said[-1:] != ["started"]:
                pytest.skip(f"a SLURM of one node does not start here: {' '.join(said)}")
            slurm = OneNode(process)
            until(lambda: "idle" if "idle" in slurm.call("sinfo", "--noheader") else None, "an idle node", 60)
            yield slurm
        finally:
            assert process.stdin
            process.stdin.close()
            process.wait()


def _first_words(process: subprocess.Popen[str]) -> list[str]:
    """Return what the start said, up to its end or its success."""
    assert process.stdout
    said = []
    for line in process.stdout:
        said.append(line.strip())
        if said[-1] == "started":
            break
    return said


def _write_files(folder: Path) -> None:
    assert " " not in str(folder)
    for name in ("etc", "munge", "state", "spool"):
        (folder / name).mkdir(parents=True)
    key = folder / "munge" / "key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(1024))
    (folder / "gpu0").touch()
    host = socket.gethostname().split(".")[0]
    (folder / "etc" / "slurm.conf").write_text(CONF.format(host=host, folder=folder))
    (folder / "etc" / "gres.conf").write_text(f"NodeName={host} Name=gpu Type=toy File={folder}/gpu0\n")
