"""Attacks on every stage and on whole runs, and how they end.

    python -m benchmarks.faults inputs --cases 2000 --seed 0 --folder /tmp/faults

A small cohort runs once through the whole graph (:mod:`benchmarks.faults.cohort`).  A case copies the finished folder,
removes what one command of the graph made, attacks that command, and compares what it wrote with the first run
(:mod:`benchmarks.faults.cases`).  The attacks:

inputs     damages one input: a flipped bit, a blank block, a cut, random bytes, a file that is gone
disks      fills the disk at a random byte, or when a file is closed; makes it read-only; takes permissions away
memory     limits the memory of the process
changes    replaces or removes a slide while a slide stage runs
together   runs the same command twice at once
kills      kills whole runs at random moments, until they have ended well
clocks     gives inputs or results of whole runs other dates, as a clock that is set back does
late       shows results of jobs to Snakemake late, as network disks do

The classes:

success            it ended well, with the same files as before
other input        it ended well with other files, because a file of the user's own is another valid file
own error          it ended with one message of ccl, and without a traceback
killed             the system ended the process (only with `memory`)
traceback          it ended with a traceback, or the process crashed
hang               it did not end in time
silent wrong       it ended well, with other files than before
changed elsewhere  it changed a file outside its own folders

Case n of a seed is the same on every machine; `--first` continues after the cases that are done.  Results are appended
to `{folder}/cases.tsv`, logs of the last four classes are kept beside it.
"""
