"""What made a page."""

from __future__ import annotations

import subprocess

from ccl.pages import provenance


def test_differing_versions_of_a_package_are_all_named():
    found = provenance.software([{"torch": "2.14.0"}, {"torch": "2.13.1"}, {"torch": "2.14.0"}])
    assert found["torch"] == "2.14.0, 2.13.1"
    assert {"lifelines", "scipy", "matplotlib", "pandas", "python", "ccl"} <= set(found)


def test_commit_is_that_of_ccl_and_not_of_a_repository_around_it(tmp_path, monkeypatch):
    package = tmp_path / "venv" / "ccl"
    (package / "pages").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    monkeypatch.setattr(provenance, "__file__", str(package / "pages" / "provenance.py"))
    assert provenance.git_commit() is None

    def git(*words):
        subprocess.run(["git", "-C", tmp_path, "-c", "user.name=n", "-c", "user.email=e@x", *words], check=True)

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "the user's own")
    assert provenance.git_commit() is None
    git("add", "venv")
    git("commit", "-q", "-m", "ccl's source")
    commit = provenance.git_commit()
    assert len(commit) == 40
    (package / "__init__.py").write_text("changed = True")
    assert provenance.git_commit() == f"{commit} with uncommitted changes"
