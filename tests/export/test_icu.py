"""Collations of ICU, on a PostgreSQL that has it, where one is installed (Debian: postgresql).

The PostgreSQL from PyPI is built without ICU, and only ICU has nondeterministic collations.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.exceptions import ConfigurationError, UploadCancelled
from airflow_provider_oss_resume.export import Output
from airflow_provider_oss_resume.oss import OSSClient
from tests.export.postgres import Postgres
from tests.export.scene import Scene

PROGRAMS = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("nowhere"))
AS_OTHER_USER = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []

pytestmark = pytest.mark.skipif(not (PROGRAMS / "initdb").exists(), reason="PostgreSQL is not installed")


def run(program: str, *arguments: str) -> None:
    subprocess.run([*AS_OTHER_USER, str(PROGRAMS / program), *arguments], check=True, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def postgres_with_icu() -> Iterator[Postgres]:
    with tempfile.TemporaryDirectory(prefix="oss-resume-icu-") as name:
        folder = Path(name)
        if AS_OTHER_USER:
            shutil.chown(folder, "postgres", "postgres")
        data = f"--pgdata={folder}/data"
        run("initdb", data, "--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync")
        options = f"-k {folder} -c listen_addresses= -c fsync=off"
        run("pg_ctl", data, "--wait", f"--log={folder}/log", f"--options={options}", "start")
        try:
            uri = f"postgresql://postgres@/postgres?host={folder}"
            yield Postgres(SimpleNamespace(get_uri=lambda: uri, log=folder / "log"), folder)
        finally:
            run("pg_ctl", data, "--mode=immediate", "stop")


@pytest.fixture
def icu(postgres_with_icu: Postgres, server: DevServer, client: OSSClient, request: pytest.FixtureRequest) -> Scene:
    return Scene(postgres_with_icu, server, client, f"exports/{request.node.name}")


@pytest.mark.parametrize("output", [Output(), Output("jsonl"), Output("parquet")])
def test_a_nondeterministic_collation_is_refused(icu: Scene, output: Output) -> None:
    icu.postgres.run(
        "CREATE COLLATION IF NOT EXISTS loose "
        "(provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
    )  # fmt: skip
    assert icu.postgres.run("SELECT 'a' COLLATE loose = 'A' COLLATE loose") == [(True,)]
    with pytest.raises(ConfigurationError, match="nondeterministic collation"):
        icu.export("SELECT 'a' COLLATE loose AS k", output, ("k",))
    assert icu.server.requests() == []


@pytest.mark.parametrize("output", [Output(), Output("jsonl"), Output("parquet")])
def test_a_deterministic_collation_resumes_to_the_bytes_of_one_pass(icu: Scene, output: Output) -> None:
    words = "(ARRAY['a', 'A', 'ä', 'Ä', 'z', 'ß', '', 'o-e', 'oe', 'é'])[1 + i % 10] || i / 10"
    sql = f"SELECT ({words}) COLLATE \"de-x-icu\" AS k, repeat('x', 90) AS v FROM generate_series(1, 10000) AS i"
    with pytest.raises(UploadCancelled):
        icu.export(sql, output, ("k",), watch=icu.stop_after(2))
    assert icu.export(sql, output, ("k",)).parts_reused >= 2
    resumed = icu.content()
    icu.export(sql, output, ("k",))
    assert icu.content() == resumed
