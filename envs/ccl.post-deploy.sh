#!/usr/bin/env bash
# Snakemake runs this once in the new environment, from the folder it was called in: the checkout of this project.
set -euo pipefail
python -m pip install --constraint envs/constraints.txt .
