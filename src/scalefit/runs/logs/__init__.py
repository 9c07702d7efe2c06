"""Training logs of any usual kind as one table of losses, with a report of every row that is not in it."""

from scalefit.runs.logs.clean import NAMES, REASONS
from scalefit.runs.logs.formats import FORMATS
from scalefit.runs.logs.runlog import Report, RunLog, read_log

__all__ = ["FORMATS", "NAMES", "REASONS", "Report", "RunLog", "read_log"]
