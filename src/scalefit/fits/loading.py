"""Saved fits read back."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scalefit.core.law import Law
from scalefit.fits import saving
from scalefit.fits.ensemble import Ensemble, foretold_from
from scalefit.fits.fit import Fit
from scalefit.fits.verified import check_record, check_seal
from scalefit.words import short

__all__ = ["ensemble_from", "fit_from", "load"]


def load(path: str | Path, law: Law | None = None) -> Fit | Ensemble:
    """A fit, or an ensemble of fits, written by its `save`.

    Args:
        path: of the file.
        law: the law of the fit, where it is one of your own: `sf.load(path, law=mine)`.

    Returns:
        The fit or ensemble.

    Raises:
        ValueError: for a file that holds no fit, was edited or damaged, or is of another format;
            it names the file.
        FileNotFoundError: where there is no such file.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     fit.save(f"{folder}/fit.json")
        ...     again = sf.load(f"{folder}/fit.json")
        >>> again.coefs == fit.coefs
        True
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path must name a file, got {short(path)}")
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {str(path)!r}")
    text = path.read_bytes()
    try:
        saved = json.loads(text)
        if not isinstance(saved, Mapping) or "format" not in saved:
            raise ValueError("it holds no fit")
        saving.check_format(saved)
        check_seal(saved)
        if saved.get("kind") == "ensemble":
            return ensemble_from(saved, law)
        return fit_from(saved, law)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        # Damage shows in many ways; whoever reads the file by name must hear which file it was.
        if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
            why = "it is no JSON, or was cut off"
        elif isinstance(error, ValueError):
            why = str(error.args[0] if error.args else error)
        else:
            why = "a part of it is missing or of another kind: it was edited or damaged"
        raise ValueError(f"{path.name!r} cannot be loaded: {why}") from error


def fit_from(saved: Mapping[str, Any], law: Law | None = None) -> Fit:
    """The fit that was saved as this JSON; ValueError unless its parts belong together."""
    found, error = saving.fields(saved, law)
    fit = Fit(**found)
    check_record(fit, saved["law"]["formula"])
    if error is not None:
        fit.kept["model_error"] = error
    return fit


def ensemble_from(saved: Mapping[str, Any], law: Law | None = None) -> Ensemble:
    """The ensemble that was saved as this JSON; `law` stands for those of its laws that are of one's own."""
    own = {label: law if each["law"]["recipe"] is None else None for label, each in saved["fits"].items()}
    fits = {label: fit_from(each, own[label]) for label, each in saved["fits"].items()}
    ground = None if saved["ground"] is None else foretold_from(saved["ground"])
    return Ensemble(fits, dict(saved["weights"]), ground)
