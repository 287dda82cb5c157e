"""The extractor under test: captions out of media files, by ffmpeg, on CCExtractor's command line.

The demo's git repository holds this package as `src/ccextractor`; the runner builds and executes
it from there. It needs Python and ffmpeg, and nothing of the platform.
"""

VERSION = "0.95"
