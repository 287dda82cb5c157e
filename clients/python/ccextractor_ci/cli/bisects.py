"""`ci bisect`: the commit that broke a run's failing tests."""

LOOK_S = 5.0
