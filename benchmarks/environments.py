"""Does it run with the oldest and the newest packages it says it runs with, on each Python there is?

    python benchmarks/environments.py [--python python3.12 python3.13 ...] [--set oldest newest]

For each interpreter and each set of packages: a virtual environment without any extra, `SMALL` in it, one line of
`environments.json`. Oldest are the lower bounds in pyproject.toml; newest is what pip chooses. An interpreter
that is not there, packages that do not go together, and such as are not built for it, are said and not hidden.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).with_suffix(".json")
SHOWN = ("jax", "numpy", "scipy", "pandas", "matplotlib", "narwhals")

# A little of everything, without the extras: each of them absent must be a sentence that names what to install.
SMALL = """
import json, os, sys, tempfile, warnings
from importlib.metadata import version
from pathlib import Path
warnings.simplefilter("error")
# The oldest matplotlib calls what its newest helper no longer likes; said of them, not of us.
warnings.filterwarnings("ignore", category=DeprecationWarning, module="matplotlib")
os.environ.update(MPLBACKEND="Agg", SCALEFIT_CACHE="off")
import numpy as np, pandas as pd
import scalefit as sf
from scalefit.cli import main
warnings.filterwarnings("ignore", category=sf.CautionWarning)
N, D = (g.ravel() for g in np.meshgrid(np.geomspace(1e7, 1e9, 4), np.geomspace(1e9, 1e11, 4)))
runs = pd.DataFrame({"N": N, "D": D, "loss": 1.8 + 480 / N**0.35 + 2000 / D**0.37})
folder = Path(tempfile.mkdtemp())
fit = sf.fit("chinchilla", runs)
# The coefficients that made the table, which has no noise.
assert abs(fit.coefs["alpha"] - 0.35) < 1e-6 and abs(fit.coefs["beta"] - 0.37) < 1e-6, fit.coefs
assert np.isfinite(fit.predict({"N": 1e10, "D": 1e11}, 0.9).to_numpy()[:, :5].astype(float)).all()
fit.save(folder / "fit.json")
assert sf.load(folder / "fit.json").coefs == fit.coefs
assert len(sf.bootstrap(fit, 20).draws.u) == 20
assert sf.optimal(fit, 1e21).shape[0] == 1
assert sf.plot.curve(fit) is not None
sf.report(fit, folder / "page.html", refits=False)
runs.to_csv(folder / "runs.csv", index=False)
assert main(["predict", str(folder / "fit.json"), "--N", "1e10", "--D", "1e11"]) == 0
said = []
for call in (lambda: sf.posterior(fit), lambda: sf.fit("chinchilla", folder / "runs.parquet")):
    (folder / "runs.parquet").write_bytes(b"PAR1")
    try:
        call()
        said.append("answered")
    except (ImportError, ValueError) as error:
        said.append(str(error))
print("RESULT", json.dumps({"versions": {n: version(n) for n in sys.argv[1].split(",")}, "absent": said}))
"""


def oldest() -> list[str]:
    """The lower bounds of what is needed, as requirements of exactly these."""
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    return [re.sub(r">=(.*)", r"==\1.*", one) for one in wanted]


def outcome(python: str, packages: str, folder: Path) -> dict[str, object]:
    """What became of one environment."""
    found = {"python": python, "set": packages}
    interpreter = shutil.which(python)
    if interpreter is None:
        return {**found, "outcome": "no such interpreter here"}
    made = subprocess.run(
        [interpreter, "-m", "venv", str(folder)], capture_output=True, text=True, check=False
    )
    if made.returncode:
        return {**found, "outcome": "no such interpreter here"}
    inside = str(folder / "bin" / "python")
    told = [*(oldest() if packages == "oldest" else ()), str(ROOT)]
    done = subprocess.run(
        [inside, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--only-binary=:all:", *told],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        why = [line for line in done.stderr.splitlines() if "depends on" in line or line.startswith("ERROR")]
        return {**found, "outcome": "not installable", "why": " ".join(" ".join(why).split())[:400]}
    ran = subprocess.run(
        [inside, "-c", SMALL, ",".join(SHOWN)], capture_output=True, text=True, check=False, cwd=folder
    )
    line = next((line for line in ran.stdout.splitlines() if line.startswith("RESULT ")), None)
    if ran.returncode or line is None:
        return {**found, "outcome": "failed", "why": ran.stderr.strip()[-600:]}
    return {**found, "outcome": "passed", **json.loads(line.removeprefix("RESULT "))}


def main() -> None:
    """Run the environments asked for and keep the outcomes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--python", nargs="+", default=[f"python3.{k}" for k in (11, 12, 13, 14)])
    parser.add_argument("--set", nargs="+", default=["oldest", "newest"], choices=["oldest", "newest"])
    options = parser.parse_args()
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    for python in options.python:
        for packages in options.set:
            with tempfile.TemporaryDirectory(prefix="scalefit-environment-") as folder:
                found = outcome(python, packages, Path(folder))
            found["python"] = (
                Path(str(found["python"])).name if "/" not in python else f"python{_version(python)}"
            )
            print(found["python"], packages, found["outcome"], found.get("why", ""), flush=True)
            same = (found["python"], packages)
            known = [one for one in known if (one["python"], one["set"]) != same] + [found]
            RESULTS.write_text(json.dumps(known, indent=1) + "\n")


def _version(python: str) -> str:
    """What an interpreter given by its path calls itself, e.g. 3.12."""
    said = subprocess.run([python, "--version"], capture_output=True, text=True, check=True).stdout
    return ".".join(said.split()[1].split(".")[:2])


if __name__ == "__main__":
    main()
