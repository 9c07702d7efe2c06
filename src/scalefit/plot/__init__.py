"""Pictures of a fit. Each returns the matplotlib Axes it drew on, and draws on `ax` if given one.

    sf.plot.curve(fit, x="N", color="D")
    sf.plot.residuals(fit)
    sf.plot.profile(sf.profile(fit, "E"))

Each plot is a file: `data(...)` turns a fit into arrays, `draw(data, ax)` draws them. matplotlib is loaded when
something is drawn; its backend and its settings are left as they are.
"""

from scalefit.plot._curve import curve
from scalefit.plot._profile import profile
from scalefit.plot._residuals import residuals

__all__ = ["curve", "profile", "residuals"]
