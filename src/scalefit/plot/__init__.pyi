"""The public pictures, said once: the lazy table and `__all__` are read from here."""

from typing import Any

from matplotlib.axes import Axes

from scalefit.plot._backtest import backtest as backtest
from scalefit.plot._best_schedule import best_schedule as best_schedule
from scalefit.plot._compare import compare as compare
from scalefit.plot._corner import corner as corner
from scalefit.plot._crossover import crossover as crossover
from scalefit.plot._curve import curve as curve
from scalefit.plot._envelope import envelope as envelope
from scalefit.plot._fan import fan as fan
from scalefit.plot._forecast import forecast as forecast
from scalefit.plot._gate import gate as gate
from scalefit.plot._isoflop import isoflop as isoflop
from scalefit.plot._isoloss import isoloss as isoloss
from scalefit.plot._ledger import ledger as ledger
from scalefit.plot._mixture import mixture as mixture
from scalefit.plot._observed import observed as observed
from scalefit.plot._plan import plan as plan
from scalefit.plot._profile import profile as profile
from scalefit.plot._residuals import residuals as residuals
from scalefit.plot._specification import specification as specification
from scalefit.plot._sweep import sweep as sweep

__all__: list[str]

def draw(result: Any, ax: Axes | None = None, **options: Any) -> Axes: ...
