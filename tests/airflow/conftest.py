"""A local OSS for the whole session, and two ways to run a task: under a real scheduler, or forked by `dag.test()`."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from demo.cluster import AirflowCluster
from demo.stack import AirflowStack
from demo.versions import AIRFLOW_3
from tests.airflow import bucket, forked_tries
from tests.airflow.azurite import Azurite
from tests.airflow.cases import Cases
from tests.airflow.gcs import GCSServer
from tests.airflow.rest import RestApi
from tests.airflow.s3 import S3Server
from tests.airflow.scheduled import CommandLine, Scheduled
from tests.airflow.sftp import SFTPServer
from tests.airflow.statsd_server import StatsdServer

if TYPE_CHECKING:
    from tests.airflow.background import Run

DAGS = Path(__file__).parent / "dags"
LINEAGE_EVENTS = "OSS_RESUME_TEST_LINEAGE"
LINEAGE_SQL = "AIRFLOW_CONN_LINEAGE_SQL"


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


def lineage_settings(home: Path) -> dict[str, str]:
    """Send the lineage of the DAGs that ask for it to a file."""
    events = str(home / "lineage.jsonl")
    return {
        LINEAGE_EVENTS: events,
        LINEAGE_SQL: json.dumps({"conn_type": "sqlite", "host": str(home / "orders.db")}),
        "AIRFLOW__OPENLINEAGE__SELECTIVE_ENABLE": "True",
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps({"type": "file", "log_file_path": events, "append": True}),
    }


@pytest.fixture(scope="session")
def stack(
    request: pytest.FixtureRequest, oss: DevServer, statsd: StatsdServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AirflowStack]:
    """A scheduler with a LocalExecutor and what it needs, or a cluster; up until the session ends."""
    home = tmp_path_factory.mktemp("airflow")
    settings = {"AIRFLOW_CONN_OSS_DEFAULT": bucket.connection(oss), **statsd.settings, **lineage_settings(home)}
    running = (AirflowCluster if request.param == "cluster" else AirflowStack)(home, DAGS, settings)
    try:
        running.prepare("dags reserialize")
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def cluster(stack: AirflowStack) -> AirflowCluster:
    """The stack, which is a cluster in every test that asks for this."""
    assert isinstance(stack, AirflowCluster)
    return stack


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test of the stack the local one, with `on_cluster` both, with the fixture `cluster` only that."""
    if "stack" not in metafunc.fixturenames:
        return
    local = ["local"] if "cluster" not in metafunc.fixturenames else []
    wanted = not local or metafunc.definition.get_closest_marker("on_cluster")
    cluster = [pytest.param("cluster", marks=pytest.mark.slow)] if wanted and AIRFLOW_3 else []
    metafunc.parametrize("stack", [*local, *cluster], indirect=True, scope="session")


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


@pytest.fixture
def cases(
    forked: AirflowStack, oss: DevServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Cases]:
    """Run DAGs in forked tries whose connection ``oss_default`` is the dev server."""
    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", bucket.connection(oss))
    cases = Cases(forked, oss, capfd)
    yield cases
    cases.forget_variables()


@pytest.fixture
def begin(
    forked: AirflowStack, oss: DevServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, bucket.SourceFile], Run]:
    """Begin runs of the DAGs of ``bad_nights`` in forked tries, in the background."""
    from tests.airflow import runs  # it imports this module
    from tests.airflow.background import Run

    monkeypatch.setenv("AIRFLOW_CONN_OSS_DEFAULT", bucket.connection(oss))
    return lambda dag_id, source: Run(forked, runs.load_dag("bad_nights", dag_id), source.conf, tmp_path / "output.txt")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let Airflow and what it imports warn; a warning that our own code causes stays an error."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore"), append=False)
            item.add_marker(pytest.mark.filterwarnings("error:::airflow_provider_oss_resume"))


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Run one S3 server for the session: Airflow keeps one file system per connection id, with its endpoint."""
    with closing(S3Server(tmp_path_factory.mktemp("s3") / "moto.log")) as server:
        yield server


@pytest.fixture(scope="session")
def sftp_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SFTPServer]:
    logging.getLogger("asyncssh").setLevel(logging.WARNING)  # it says goodbye when pytest's log is closed already
    with closing(SFTPServer(tmp_path_factory.mktemp("sftp"))) as server:
        yield server


@pytest.fixture(scope="session")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with closing(Azurite(tmp_path_factory.mktemp("azurite"))) as server:
        yield server


@pytest.fixture(scope="session")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GCSServer]:
    with closing(GCSServer(tmp_path_factory.mktemp("gcs") / "server.log")) as server:
        yield server
