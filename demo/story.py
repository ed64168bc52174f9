"""The steps of the demo: SIGKILL ends a large upload, and the retry sends only the missing parts."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from airflow_provider_oss_resume.oss import Credentials, OSSClient
from demo.api import AirflowApi
from demo.screen import Screen
from demo.services import Services
from demo.stack import REPOSITORY, AirflowStack, free_port
from demo.tries import TrySent, split_tries
from demo.versions import AIRFLOW_VERSION

MIB = 1024 * 1024
SIZE = 512 * MIB
PART_SIZE = 8 * MIB
PARTS = SIZE // PART_SIZE
RUN_ID = "demo"
BUCKET = "examplebucket"
KEY = f"exports/{RUN_ID}/orders.bin"
USER = PASSWORD = "admin"


class DemoFailedError(Exception):
    """The demo had another result than expected."""


class Demo:
    """One run of the demo, from an empty folder to the comparison of the object with the file.

    :param folder: everything it writes lies in here; what an earlier run left is removed.
    """

    target = "demo"
    services = "scheduler, DAG processor and API server"
    dag_id = "example_kill_and_resume"
    task_id = "upload"
    key = KEY
    parts = PARTS
    last_line = "resumed:"
    # Without a delay the upload on loopback takes a second, too short to watch. With it, four threads send about
    # 60 MiB/s.
    seconds_a_part = 0.5

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.screen = Screen()
        self._source = folder / "export" / "orders.bin"
        self._oss = DevServer(root=folder / "oss", port=free_port(), buckets=(BUCKET,))
        self._oss_service = Services(folder / "oss-service")
        self._airflow = self._new_airflow(folder / "airflow")
        self._address = f"http://127.0.0.1:{self._airflow.port}"
        self._api = AirflowApi(self._address, USER, PASSWORD)

    def invite(self) -> None:
        """Print the addresses while the services run."""
        keys = f"{self._oss.access_key_id} / {self._oss.access_key_secret}"
        self.screen.table(
            [
                ["Airflow", f"{self._address}/dags/{self.dag_id}/runs/{RUN_ID}", f"login {USER} / {PASSWORD}"],
                ["OSS", self._oss.url, f"access key {keys}"],
                ["stop both", "make demo-stop", ""],
            ]
        )
        self.screen.text()

    def stop(self) -> None:
        """Stop every process, also those that an earlier run left in the same folder."""
        self._airflow.stop()
        self._oss_service.stop()

    def play(self) -> None:
        """Run all steps.

        :raises DemoFailedError: the result is not the expected one.
        """
        self.screen.title(
            f"{SIZE // MIB} MiB to a local OSS in {PARTS} parts, killed halfway · Airflow {AIRFLOW_VERSION}"
        )
        self._start_oss()
        self._start_airflow()
        self._trigger()
        self._watch_export()
        pid = self._watch_until_half()
        self._kill(pid)
        self._watch_retry()
        self._report()

    def _new_airflow(self, home: Path) -> AirflowStack:
        return AirflowStack(home, REPOSITORY / "example_dags", self._settings(), ui=True)

    def _settings(self) -> dict[str, str]:
        extra = {
            "auth_type": "AK",
            "access_key_id": self._oss.access_key_id,
            "access_key_secret": self._oss.access_key_secret,
            "region": self._oss.region,
            "endpoint": self._oss.url,
        }
        return {
            "AIRFLOW_CONN_OSS_DEFAULT": json.dumps({"conn_type": "oss_resume", "extra": extra}),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.folder / "airflow" / "passwords.json"),
        }

    def _start_oss(self) -> None:
        arguments = ["--port", str(self._oss.port), "--root", str(self._oss.root), "--bucket", BUCKET]
        keys = {
            "OSS_DEV_ACCESS_KEY_ID": self._oss.access_key_id,
            "OSS_DEV_ACCESS_KEY_SECRET": self._oss.access_key_secret,
        }
        command = [sys.executable, "-m", "airflow_provider_oss_resume.devserver", *arguments]
        self._oss_service.start("oss", command, {**os.environ, **keys})
        self._airflow.wait(self._oss_is_up, "answer of the local OSS", 15)
        self._oss.plan(FaultRule(FaultKind.DELAY, operation="UploadPart", count=None, seconds=self.seconds_a_part))
        self.screen.event("oss", f"bucket {BUCKET} on {self._oss.url}")

    def _oss_is_up(self) -> bool:
        self._oss_service.check()
        try:
            return self._oss.requests() == []
        except OSError:
            return False

    def _start_airflow(self) -> None:
        (self.folder / "airflow" / "passwords.json").write_text(json.dumps({USER: PASSWORD}))
        self._airflow.prepare()
        self._airflow.start()
        self._airflow.wait(self._api.is_up, "answer of the API server", pause=0.3)
        self.screen.event("airflow", f"{self.services} on {self._address}")

    def _trigger(self) -> None:
        self._airflow.wait(lambda: self._api.knows_dag(self.dag_id), f"DAG {self.dag_id}", pause=0.3)
        self._api.run_dag(self.dag_id, RUN_ID, {"path": str(self._source), "size_mib": SIZE // MIB})

    def _watch_export(self) -> None:
        self._airflow.wait(lambda: self._airflow.task(RUN_ID, "export").state == "success", "export")
        self.screen.event("export", f"{self._source.stat().st_size // MIB} MiB in {self._source.name}")

    def _watch_until_half(self) -> int:
        self._airflow.wait(lambda: self._watch("try 1") >= self.parts // 2, "first half of the parts")
        upload = self._airflow.task(RUN_ID, self.task_id)
        if upload.state != "running" or not upload.pid:
            raise DemoFailedError(f"the upload should be running, but is {upload}")
        self.screen.event("try 1", f"{self._watch('try 1')} of {self.parts} parts are in the bucket")
        return upload.pid

    def _kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        self.screen.event("SIGKILL", f"process {pid} of the task is dead", "red")

    def _watch_retry(self) -> None:
        self._airflow.wait(lambda: self._line("resume:") or self._upload_ended(), "second try")
        self.screen.event("try 2", self._line("resume:") or "nothing was resumed")
        self._airflow.wait(lambda: self._watch("try 2") and self._upload_ended(), "end of the upload")
        state = self._airflow.task(RUN_ID, self.task_id).state
        if state != "success":
            raise DemoFailedError(f"the retry ended as {state}; logs in {self._airflow.home}/logs")
        self.screen.event("try 2", self._line(self.last_line))
        self._report_success(self._airflow.xcom(RUN_ID, self.task_id))

    def _report_success(self, result: dict[str, Any]) -> None:
        self.screen.event("success", f"the CRC-64 of the object equals that of the file: {result['crc64']}", "green")

    def _upload_ended(self) -> bool:
        return self._airflow.task(RUN_ID, self.task_id).ended

    def _watch(self, label: str) -> int:
        time.sleep(0.15)  # each query slows the server that receives the parts
        held = {record.part_number for record in self._oss.requests("UploadPart") if record.status == 200}
        self.screen.progress(label, len(held), self.parts, f"{len(held)} of {self.parts} parts")
        return len(held)

    def _line(self, start: str) -> str:
        """Return the first line of the second try's log with this start; empty if there is none yet."""
        for log in self._airflow.home.glob(f"logs/**/task_id={self.task_id}/attempt=2.log"):
            whole_lines = log.read_text().split("\n")[:-1]
            events = (str(json.loads(line).get("event", "")) for line in whole_lines)
            return next((event for event in events if event.startswith(start)), "")
        return ""

    def _report(self) -> None:
        first, second = split_tries(self._oss.requests())
        saved = SIZE - second.bytes
        self.screen.table(
            [
                ["", "parts", "sent", ""],
                ["try 1", *row(first), "killed"],
                ["try 2", *row(second), "success"],
                ["saved by resuming", str(PARTS - len(second.parts)), mib(saved), f"{100 * saved // SIZE} %"],
            ]
        )
        self._compare(first, second)

    def _compare(self, first: TrySent, second: TrySent) -> None:
        """Compare the object with the file.

        :raises DemoFailedError: they differ, or a part of the first try was sent again.
        """
        source, stored = self._source_sha256(), self._stored_sha256()
        self.screen.text(f"\n  SHA-256 of source  {source}\n          of object  {stored}\n")
        if source != stored:
            raise DemoFailedError("the SHA-256 of the object differs from that of the source")
        if set(first.parts) & set(second.parts):
            raise DemoFailedError(f"sent twice: {sorted(set(first.parts) & set(second.parts))}")

    def _source_sha256(self) -> str:
        return _sha256(self._source)

    def _stored_sha256(self) -> str:
        credentials = Credentials(self._oss.access_key_id, self._oss.access_key_secret)
        with (
            OSSClient(self._oss.url, credentials, self._oss.region) as client,
            client.get_object(BUCKET, self.key) as (_, blocks),
        ):
            return self._sha256_of(blocks)

    def _sha256_of(self, blocks: Iterable[bytes]) -> str:
        digest = hashlib.sha256()
        for block in blocks:
            digest.update(block)
        return digest.hexdigest()


def row(sent: TrySent) -> list[str]:
    """Return two cells of the table."""
    return [str(len(sent.parts)), mib(sent.bytes)]


def mib(size: int) -> str:
    """Return a number of bytes for people."""
    return f"{size / MIB:.0f} MiB"


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(MIB):
            digest.update(block)
    return digest.hexdigest()
