"""A local OSS for the whole session, and two ways to run a task: under a real scheduler, or forked by `dag.test()`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from demo.stack import AirflowStack
from tests.airflow import bucket, forked_tries
from tests.airflow.rest import RestApi
from tests.airflow.scheduled import CommandLine, Scheduled
from tests.airflow.statsd_server import StatsdServer

DAGS = Path(__file__).parent / "dags"


@pytest.fixture(scope="session")
def oss(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    with DevServer(root=tmp_path_factory.mktemp("oss"), buckets=(bucket.NAME,)) as server:
        yield server


@pytest.fixture(autouse=True)
def no_faults_left(oss: DevServer) -> Iterator[None]:
    yield
    oss.clear_faults()


@pytest.fixture(scope="session")
def statsd() -> Iterator[StatsdServer]:
    with closing(StatsdServer()) as server:
        yield server


@pytest.fixture(scope="session")
def stack(oss: DevServer, statsd: StatsdServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowStack]:
    """A scheduler with a LocalExecutor and what this Airflow needs beside it; up until the session ends."""
    home = tmp_path_factory.mktemp("airflow")
    settings = {"AIRFLOW_CONN_OSS_DEFAULT": bucket.connection(oss), **statsd.settings}
    running = AirflowStack(home, DAGS, settings)
    running.prepare("dags reserialize")
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def scheduled(stack: AirflowStack) -> Iterator[Callable[[str], Scheduled]]:
    """Makes runs under the scheduler, by the DAG's name."""
    with closing(CommandLine(stack)) as airflow:
        yield lambda dag_id: Scheduled(stack, airflow, dag_id)


@pytest.fixture(scope="session")
def rest(stack: AirflowStack) -> RestApi:
    """The web server of that Airflow; ends with it."""
    return RestApi(stack)


@pytest.fixture(scope="session")
def forked(oss: DevServer) -> AirflowStack:
    """This process's own Airflow database, and a `dag.test()` that forks; no other process runs."""
    home = Path(os.environ["AIRFLOW_HOME"])
    own = AirflowStack(home, DAGS, {})
    own.prepare()
    forked_tries.install()
    return own


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let Airflow and what it imports warn; a warning that our own code causes stays an error."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore"), append=False)
            item.add_marker(pytest.mark.filterwarnings("error:::airflow_provider_oss_resume"))
