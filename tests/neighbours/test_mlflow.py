"""What a fit leaves in MLflow, read back by MLflow itself."""

import sys

import numpy as np
import pytest

import scalefit as sf
from scalefit.neighbours.mlflow import log_fit

# MLflow and what it stands on warn of each other.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def fit():
    x = np.geomspace(1e18, 1e22, 12)
    return sf.fit(
        "power_floor", {"x": x, "loss": (1.8 + 40 * x**-0.08) * (1 + 0.001 * np.cos(5 * np.log(x)))}
    )


def test_a_fit_comes_back_whole(fit, tmp_path):
    mlflow = pytest.importorskip("mlflow", reason="needs MLflow: pip install scalefit-jax[neighbours]")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    mlflow.set_experiment(experiment_id=mlflow.create_experiment("e", (tmp_path / "kept").as_uri()))
    with mlflow.start_run() as run:
        log_fit(fit, {"x": 1e23}, level=0.8)
    found = mlflow.get_run(run.info.run_id).data
    assert found.params["law"] == "power_floor"
    assert (found.params["column.x"], found.params["rows"]) == ("x", "12")
    assert found.tags["trust"] == fit.status.trust
    assert {name: found.metrics[f"coef.{name}"] for name in fit.coefs} == pytest.approx(
        dict(fit.coefs), rel=1e-12
    )
    ends = found.metrics["coef.alpha.lo"], found.metrics["coef.alpha.hi"]
    assert ends == pytest.approx(fit.interval("alpha", 0.8), rel=1e-12)
    folder = tmp_path / "back"
    mlflow.artifacts.download_artifacts(
        run_id=run.info.run_id, artifact_path="scalefit", dst_path=str(folder)
    )
    assert sf.load(folder / "scalefit" / "fit.json").coefs == fit.coefs
    assert "<html" in (folder / "scalefit" / "report.html").read_text()


def test_without_mlflow_the_extra_is_named(fit, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(ImportError, match=r"pip install .scalefit-jax\[neighbours\]"):
        log_fit(fit)
