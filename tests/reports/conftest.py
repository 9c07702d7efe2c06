import pytest
from pages import table

import scalefit as sf


@pytest.fixture(scope="session")
def fit():
    return sf.fit("chinchilla", table())


@pytest.fixture(scope="session")
def page_path(fit, tmp_path_factory):
    """The whole page, refits and all."""
    return sf.report(fit, tmp_path_factory.mktemp("page") / "report.html", target={"C": 1e23})
