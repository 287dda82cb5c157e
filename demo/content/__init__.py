"""Demo data: captions in real containers, an extractor in a git repository, regression tests.

`build` makes it all in a folder, the same bytes every time. It imports nothing of the server.
"""

from .building import build
from .model import Demo, DemoOutput, DemoSample, DemoTest

__all__ = ["Demo", "DemoOutput", "DemoSample", "DemoTest", "build"]
