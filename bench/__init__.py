"""The benchmarks: databases of a given size, and what the platform costs on them.

`scripts/bench --help` lists the commands; docs/benchmarks.md says how to read what they print.
"""
