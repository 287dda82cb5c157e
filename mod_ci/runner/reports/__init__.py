"""Reports of tests and coverage that jobs leave: read within bounds, never believed."""

from mod_ci.runner.reports.live import Live
from mod_ci.runner.reports.model import Coverage, Report, Reports, Test
from mod_ci.runner.reports.reading import read

__all__ = ["Coverage", "Live", "Report", "Reports", "Test", "read"]
