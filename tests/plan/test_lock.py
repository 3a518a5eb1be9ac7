"""The lock of a run that was killed is removed; that of a run that goes on, or of another machine, is not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ccl.plan import lock

HOLD = "from ccl.plan import lock; import sys; lock.note_holder(); print('held', flush=True); sys.stdin.read()"


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder that Snakemake has locked."""
    monkeypatch.chdir(tmp_path)
    lock.LOCKS.mkdir(parents=True)
    (lock.LOCKS / "0.input.lock").write_text("a\n")
    return tmp_path


def held() -> subprocess.Popen[str]:
    holder = subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    return holder


def kill(holder: subprocess.Popen[str]) -> None:
    with holder:
        holder.kill()


def edit(**values: object) -> None:
    lock.HOLDER.write_text(json.dumps(json.loads(lock.HOLDER.read_text()) | values))


def test_the_lock_stays_while_its_process_runs_and_goes_when_it_was_killed(locked: Path) -> None:
    holder = held()
    assert not lock.release_stale()
    assert lock.LOCKS.exists()
    kill(holder)
    assert lock.release_stale()
    assert not lock.LOCKS.exists()
    assert not lock.release_stale()


def test_a_lock_of_which_nothing_is_known_stays(locked: Path) -> None:
    assert not lock.release_stale()
    lock.HOLDER.write_text("[")
    assert not lock.release_stale()
    assert lock.LOCKS.exists()


def test_a_lock_of_another_machine_stays(locked: Path) -> None:
    kill(held())
    edit(machine="elsewhere")
    assert not lock.release_stale()


def test_a_lock_taken_after_the_note_stays(locked: Path) -> None:
    kill(held())
    (lock.LOCKS / "0.input.lock").unlink()
    (lock.LOCKS / "0.input.lock").write_text("of a later run\n")
    assert not lock.release_stale()


def test_another_process_with_the_number_of_the_killed_one_keeps_no_lock(locked: Path) -> None:
    holder = held()
    edit(started=1.0)
    assert lock.release_stale()
    kill(holder)
