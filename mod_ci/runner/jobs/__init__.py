"""Jobs: a stranger's project is unpacked, its requirements installed, its tests run in a box."""
