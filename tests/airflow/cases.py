"""Runs one DAG of dags/upload_cases.py in forked, real tries and tells how it went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.devserver.http.request_log import RequestRecord
from demo.stack import AirflowStack
from tests.airflow import bucket

FILE = Path(__file__).parent / "dags" / "upload_cases.py"


@dataclass(frozen=True)
class Run:
    """One DAG run whose task ended for good.

    :param output: everything that its tries logged.
    :param requests: what the bucket was asked meanwhile.
    """

    run_id: str
    states: list[str]
    tries: int
    output: str
    requests: list[RequestRecord]

    @property
    def operations(self) -> list[str]:
        """Return the names of the operations, each once."""
        return sorted({one.operation for one in self.requests})

    def said(self, text: str) -> int:
        """Return how many lines of the log hold a text; Airflow may show one line on two ways."""
        return len({line[line.find(text) :] for line in self.output.splitlines() if text in line})

    def parts_accepted(self) -> Counter[int]:
        """Return how often each part was accepted."""
        accepted = (one for one in self.requests if one.operation == "UploadPart" and one.status == 200)
        return Counter(one.part_number for one in accepted if one.part_number is not None)


class Cases:
    """The DAGs of the file, ready to run."""

    def __init__(
        self, airflow: AirflowStack, oss: DevServer, capfd: pytest.CaptureFixture[str], file: Path = FILE
    ) -> None:
        self.airflow = airflow
        self.oss = oss
        self.capfd = capfd
        self._module = _load(file)

    def run(self, dag: str, source: bucket.SourceFile, /, **conf: object) -> Run:
        """Run a DAG that uploads a file, by the name it has in the module, until its task has ended for good."""
        return self.run_conf(dag, source.conf | {key: str(value) for key, value in conf.items()})

    def run_conf(self, dag: str, conf: Mapping[str, object]) -> Run:
        """Run a DAG, by the name it has in the module, until its task has ended for good."""
        self.capfd.readouterr()
        self.oss.clear_requests()
        getattr(self._module, dag).test(run_conf={key: _plain(value) for key, value in conf.items()})
        run_id = self.airflow.newest_run()
        rows = self.airflow.query("select state, try_number from task_instance where run_id = ?", run_id)
        output = "".join(self.capfd.readouterr())
        print(output)  # for whoever reads a failure
        return Run(
            run_id=run_id,
            states=[state for state, _ in rows],
            tries=max(tries for _, tries in rows),
            output=output,
            requests=self.oss.requests(),
        )

    def forget_variables(self) -> None:
        """Delete every Variable, as a person would who gives an upload up."""
        variable = import_module("airflow.models.variable").Variable
        for key in self.airflow.variables():
            variable.delete(key)

    def execute(self, dag: str, source: bucket.SourceFile, /, **conf: object) -> object:
        """Render a DAG's task and execute it right here, without Airflow around it."""
        return self.execute_conf(dag, source.conf | {key: str(value) for key, value in conf.items()})

    def execute_conf(self, dag: str, conf: Mapping[str, object]) -> Any:
        """Render a DAG's task and execute it right here, without Airflow around it."""
        values = {key: _plain(value) for key, value in conf.items()}
        ti = SimpleNamespace(dag_id="dag", run_id="run", task_id="upload", map_index=-1, try_number=1)
        context: Any = {"dag_run": SimpleNamespace(conf=values), "ti": ti}
        task = copy(getattr(self._module, dag).get_task("upload"))
        task.render_template_fields(context)
        return task.execute(context)


def _plain(value: object) -> object:
    return value if isinstance(value, (str, list)) else str(value)


def _load(path: Path) -> Any:
    spec = spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
