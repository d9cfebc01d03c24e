"""Studies to rate, an application and a real server."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from annotated_study import Rater, Server, make_study

from annotator_web.app import close_app, create_app


@pytest.fixture(scope="session")
def made_study(tmp_path_factory):
    """Two sessions of 25 frames with media; not to be changed."""
    return make_study(tmp_path_factory.mktemp("rated") / "study")


@pytest.fixture
def study(made_study, tmp_path):
    """A copy of `made_study` to work in."""
    import shutil

    from mavfer.study.study import Study

    return Study.open(Path(shutil.copytree(made_study.root, tmp_path / "study")))


@pytest.fixture
def app(study):
    made = create_app(study)
    yield made
    close_app(made)


@pytest.fixture
def rater(app):
    """Rater R1 with a token."""
    return Rater(app, "R1")


@pytest.fixture
def server(study):
    """A server process of `study`."""
    running = Server(study.root).start()
    yield running
    if running.process.poll() is None:
        running.stop()
