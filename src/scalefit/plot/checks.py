"""What pictures are asked for is looked at here: one clear sentence for what is not right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scalefit.words import short

if TYPE_CHECKING:
    from scalefit.fits.ensemble import Ensemble
    from scalefit.fits.fit import Fit

__all__ = ["check_fit", "check_frame", "check_kind", "input_of"]


def check_fit(fit: Any) -> None:
    """TypeError for what is no fit and no ensemble."""
    if not all(hasattr(fit, part) for part in ("law", "coefs", "data", "predict")):
        raise TypeError(f"a fit or an ensemble is needed, got {short(fit)}; fit a law first, sf.fit(...)")


def check_kind(found: Any, kind: type, maker: str) -> None:
    """TypeError for what is not of this kind; maker: the call that gives one."""
    if not isinstance(found, kind):
        raise TypeError(f"what {maker} returns is needed, got {short(found)}")


def check_frame(found: Any, columns: tuple[str, ...], maker: str) -> None:
    """TypeError for what is no frame with these columns; maker: the call that gives one."""
    if not hasattr(found, "columns"):
        raise TypeError(f"what {maker} returns is needed, got {short(found)}")
    missing = [name for name in columns if name not in found.columns]
    if missing:
        raise TypeError(f"what {maker} returns is needed; this frame has no column {missing[0]!r}")


def input_of(fit: Fit | Ensemble, name: str) -> str:
    """An input of the law, asked for under its own name or the column's; ValueError otherwise."""
    if isinstance(name, str):
        if name in fit.law.inputs:
            return name
        for own in fit.law.inputs:
            if fit.columns.get(own) == name:
                return own
    raise ValueError(f"law {fit.law.name!r} has no input {short(name)}; it has {', '.join(fit.law.inputs)}")
