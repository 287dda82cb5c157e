"""Jobs through the front door: a real server, a real runner, real boxes."""
