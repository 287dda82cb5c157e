"""The history of a sample: its regression tests in every ended run that had them in its set.

Of kept runs hardly anything is asked of the database but what it has indexes for: which runs, what
of them did not pass, and how long it took. Which tests a run had follows from its set, which it
shares with others. Runs that are not kept, few, are derived.
"""
