"""A run's log: a file with byte offsets, appended to, read by pages and followed.

Nothing here knows the database or a request. `append` writes, `pages` and `index` read,
`follow` reads on while the log grows, `cursor` makes offsets safe to hand out.
"""
