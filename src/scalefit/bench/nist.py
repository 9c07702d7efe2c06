"""The NIST StRD nonlinear regression problems: a reader for the .dat files, and the models.

The models need JAX in 64-bit mode to come near the certified values. Nelson's response is log(y).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

Values = dict[str, float]


@dataclass(frozen=True)
class Problem:
    """One problem: data, the two published starts, and the certified results."""

    name: str
    x: dict[str, np.ndarray]
    y: np.ndarray
    start1: Values
    start2: Values
    certified: Values
    stderr: Values
    rss: float
    n: int


def load(folder: str | Path, name: str) -> Problem:
    """Read the problem called name from the folder that holds the .dat files."""
    text = (Path(folder) / f"{name}.dat").read_text(encoding="ascii")
    lines = text.splitlines()

    def block(title: str) -> list[str]:
        found = re.search(rf"{title}\s+\(lines\s+(\d+)\s+to\s+(\d+)\s*\)", text)
        if found is None:
            raise ValueError(f"{name}: the header gives no line range for {title!r}")
        return lines[int(found[1]) - 1 : int(found[2])]

    coefficients = {}
    for line in block("Starting Values"):
        key, _, numbers = line.partition("=")
        coefficients[key.strip()] = [float(number) for number in numbers.split()]
    start1, start2, certified, stderr = (
        {key: row[column] for key, row in coefficients.items()} for column in range(4)
    )

    results = "\n".join(block("Certified Values"))
    rss = re.search(r"Residual Sum of Squares:\s*(\S+)", results)
    count = re.search(r"Number of Observations:\s*(\d+)", results)
    heading = re.search(r"^Data:\s+(y\s+x.*)$", text, re.MULTILINE)
    if rss is None or count is None or heading is None:
        raise ValueError(f"{name}: the file lacks a certified result or the column names")

    table = np.array([line.split() for line in block("Data")], dtype=np.float64)
    columns = dict(zip(heading[1].split(), table.T.copy(), strict=True))
    y = columns.pop("y")
    if len(y) != int(count[1]):
        raise ValueError(f"{name}: {len(y)} rows of data where the file certifies {count[1]}")
    return Problem(
        name=name,
        x=columns,
        y=np.log(y) if name == "Nelson" else y,
        start1=start1,
        start2=start2,
        certified=certified,
        stderr=stderr,
        rss=float(rss[1]),
        n=len(y),
    )


def bennett5(x, *, b1, b2, b3):
    return b1 * (b2 + x) ** (-1 / b3)


def chwirut(x, *, b1, b2, b3):
    return jnp.exp(-b1 * x) / (b2 + b3 * x)


def danwood(x, *, b1, b2):
    return b1 * x**b2


def enso(x, *, b1, b2, b3, b4, b5, b6, b7, b8, b9):
    return (
        b1
        + b2 * jnp.cos(2 * jnp.pi * x / 12)
        + b3 * jnp.sin(2 * jnp.pi * x / 12)
        + b5 * jnp.cos(2 * jnp.pi * x / b4)
        + b6 * jnp.sin(2 * jnp.pi * x / b4)
        + b8 * jnp.cos(2 * jnp.pi * x / b7)
        + b9 * jnp.sin(2 * jnp.pi * x / b7)
    )


def eckerle4(x, *, b1, b2, b3):
    return (b1 / b2) * jnp.exp(-0.5 * ((x - b3) / b2) ** 2)


def gauss(x, *, b1, b2, b3, b4, b5, b6, b7, b8):
    return (
        b1 * jnp.exp(-b2 * x)
        + b3 * jnp.exp(-((x - b4) ** 2) / b5**2)
        + b6 * jnp.exp(-((x - b7) ** 2) / b8**2)
    )


def cubic_over_cubic(x, *, b1, b2, b3, b4, b5, b6, b7):
    return (b1 + b2 * x + b3 * x**2 + b4 * x**3) / (1 + b5 * x + b6 * x**2 + b7 * x**3)


def kirby2(x, *, b1, b2, b3, b4, b5):
    return (b1 + b2 * x + b3 * x**2) / (1 + b4 * x + b5 * x**2)


def lanczos(x, *, b1, b2, b3, b4, b5, b6):
    return b1 * jnp.exp(-b2 * x) + b3 * jnp.exp(-b4 * x) + b5 * jnp.exp(-b6 * x)


def mgh09(x, *, b1, b2, b3, b4):
    return b1 * (x**2 + x * b2) / (x**2 + x * b3 + b4)


def mgh10(x, *, b1, b2, b3):
    return b1 * jnp.exp(b2 / (x + b3))


def mgh17(x, *, b1, b2, b3, b4, b5):
    return b1 + b2 * jnp.exp(-x * b4) + b3 * jnp.exp(-x * b5)


def misra1a(x, *, b1, b2):
    return b1 * (1 - jnp.exp(-b2 * x))


def misra1b(x, *, b1, b2):
    return b1 * (1 - (1 + b2 * x / 2) ** (-2))


def misra1c(x, *, b1, b2):
    return b1 * (1 - (1 + 2 * b2 * x) ** (-0.5))


def misra1d(x, *, b1, b2):
    return b1 * b2 * x * ((1 + b2 * x) ** (-1))


def nelson(x1, x2, *, b1, b2, b3):
    return b1 - b2 * x1 * jnp.exp(-b3 * x2)


def rat42(x, *, b1, b2, b3):
    return b1 / (1 + jnp.exp(b2 - b3 * x))


def rat43(x, *, b1, b2, b3, b4):
    return b1 / ((1 + jnp.exp(b2 - b3 * x)) ** (1 / b4))


def roszman1(x, *, b1, b2, b3, b4):
    return b1 - b2 * x - jnp.arctan(b3 / (x - b4)) / jnp.pi


# In the order of the StRD list: 8 problems of lower, 11 of average and 8 of higher difficulty.
MODELS: dict[str, Callable[..., jax.Array]] = {
    "Misra1a": misra1a,
    "Chwirut2": chwirut,
    "Chwirut1": chwirut,
    "Lanczos3": lanczos,
    "Gauss1": gauss,
    "Gauss2": gauss,
    "DanWood": danwood,
    "Misra1b": misra1b,
    "Kirby2": kirby2,
    "Hahn1": cubic_over_cubic,
    "Nelson": nelson,
    "MGH17": mgh17,
    "Lanczos1": lanczos,
    "Lanczos2": lanczos,
    "Gauss3": gauss,
    "Misra1c": misra1c,
    "Misra1d": misra1d,
    "Roszman1": roszman1,
    "ENSO": enso,
    "MGH09": mgh09,
    "Thurber": cubic_over_cubic,
    "BoxBOD": misra1a,
    "Rat42": rat42,
    "MGH10": mgh10,
    "Eckerle4": eckerle4,
    "Rat43": rat43,
    "Bennett5": bennett5,
}

LEVELS = ["lower"] * 8 + ["average"] * 11 + ["higher"] * 8
DIFFICULTY: dict[str, str] = dict(zip(MODELS, LEVELS, strict=True))
