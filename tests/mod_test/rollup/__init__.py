"""The rollup of ended runs."""
