# `make demo` and `make test` install everything into .venv first.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
CORES ?= 2
# For another build of torch, e.g. make install PIP_FLAGS="--index-url https://download.pytorch.org/whl/cpu"
PIP_FLAGS ?=

# Snakemake's shell jobs find `ccl` here, also from a path with a space in it.
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: install demo test check check-gpu bench clean

install: .venv/installed

.venv/installed: pyproject.toml envs/constraints.txt
	"$(PYTHON)" -m venv .venv
	.venv/bin/python -m pip install --quiet --constraint envs/constraints.txt $(PIP_FLAGS) torch torchvision
	.venv/bin/python -m pip install --quiet --constraint envs/constraints.txt --editable ".[dev]"
	touch $@

# Run the default config: the demo cohort (made if missing), up to the report.
demo: install
	snakemake --cores $(CORES) --resources gpu=1

test: install
	python -m pytest --numprocesses $(CORES) --dist loadgroup

check: install
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	snakefmt --check Snakefile workflow
	snakemake --lint

# Tests that need a GPU; without one this says so and does nothing.
check-gpu: install
	python -m pytest tests/gpu --verbose -rsP

bench: demo
	for script in benchmarks/*.py; do PYTHONPATH="$(CURDIR)" python "$$script" || exit 1; done
	for kind in inputs disks memory changes together; do python -m benchmarks.faults $$kind || exit 1; done

clean:
	rm -rf results/demo data/demo .snakemake
