"""What is costly to derive, kept: status and counts of ended runs, and their failing results.

Every run is either **rolled up** (a row in `run_rollup`) or **open** (a row in `open_run`, derived
at each reading). Triggers append a mark to `rollup_mark` for whatever may change a rolled-up run,
in the transaction that changes it, whoever writes; a reader that sees marks derives the runs that
they concern, and settles the marks before or after its answer (docs/adr/030-rollup.md). All of this
can be dropped and rebuilt at any time. Where the account may not create triggers nothing is rolled
up.
"""
