"""What is costly to derive, kept: status and counts of runs, and failing results of ended ones.

A run that has ended is **rolled up** (a row in `run_rollup`). One that goes on is **open** (a row
in `open_run`) and, once that row is settled, rolled up as well; until then, and again from its end
until that is rolled up, it is derived at each reading. Triggers append a mark to `rollup_mark` for
whatever may change a rolled-up run, in the transaction that changes it, whoever writes; a reader
that sees marks derives the runs that they concern, and settles the marks before or after its answer
(docs/rollup.md). All of this can be dropped and rebuilt at any time. Where the account may
not create triggers nothing is rolled up.
"""
