"""The demo's acts, one function each: a large upload dies by SIGKILL and its retry sends only what is missing."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
from pathlib import Path

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
# Loopback would take the file in a second: too fast to watch. Four threads with this much each make about 60 MiB/s.
SECONDS_A_PART = 0.5

DAG_ID = "example_kill_and_resume"
RUN_ID = "demo"
BUCKET = "examplebucket"
KEY = f"exports/{RUN_ID}/orders.bin"
USER = PASSWORD = "admin"


class DemoFailedError(Exception):
    """Something did not go as the story says."""


class Demo:
    """One performance, from an empty folder to a compared object.

    :param folder: everything it writes lies in here; what an earlier run left is removed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.screen = Screen()
        self._source = folder / "export" / "orders.bin"
        self._oss = DevServer(root=folder / "oss", port=free_port(), buckets=(BUCKET,))
        self._oss_service = Services(folder / "oss-service")
        self._airflow = AirflowStack(folder / "airflow", REPOSITORY / "example_dags", self._settings(), ui=True)
        self._address = f"http://127.0.0.1:{self._airflow.port}"
        self._api = AirflowApi(self._address, USER, PASSWORD)

    def invite(self) -> None:
        """Tell where to look, while everything is still up."""
        keys = f"{self._oss.access_key_id} / {self._oss.access_key_secret}"
        self.screen.table(
            [
                ["Airflow", f"{self._address}/dags/{DAG_ID}/runs/{RUN_ID}", f"login {USER} / {PASSWORD}"],
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
        """Tell the story, with an exception when it has another end."""
        self.screen.title(
            f"{SIZE // MIB} MiB to a local OSS in {PARTS} parts, killed half-way · Airflow {AIRFLOW_VERSION}"
        )
        self._start_oss()
        self._start_airflow()
        self._trigger()
        self._watch_export()
        pid = self._watch_until_half()
        self._kill(pid)
        self._watch_retry()
        self._report()

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
        self._oss.plan(FaultRule(FaultKind.DELAY, operation="UploadPart", count=None, seconds=SECONDS_A_PART))
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
        self.screen.event("airflow", f"scheduler, DAG processor and API server on {self._address}")

    def _trigger(self) -> None:
        self._airflow.wait(lambda: self._api.knows_dag(DAG_ID), f"DAG {DAG_ID}", pause=0.3)
        self._api.run_dag(DAG_ID, RUN_ID, {"path": str(self._source), "size_mib": SIZE // MIB})

    def _watch_export(self) -> None:
        self._airflow.wait(lambda: self._airflow.task(RUN_ID, "export").state == "success", "export")
        self.screen.event("export", f"{self._source.stat().st_size // MIB} MiB in {self._source.name}")

    def _watch_until_half(self) -> int:
        self._airflow.wait(lambda: self._watch("try 1") >= PARTS // 2, "first half of the parts")
        upload = self._airflow.task(RUN_ID, "upload")
        if upload.state != "running" or not upload.pid:
            raise DemoFailedError(f"the upload should be running, but is {upload}")
        self.screen.event("try 1", f"{self._watch('try 1')} of {PARTS} parts are in the bucket")
        return upload.pid

    def _kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        self.screen.event("SIGKILL", f"process {pid} of the task is dead", "red")

    def _watch_retry(self) -> None:
        self._airflow.wait(lambda: self._resume_line() or self._upload_ended(), "second try")
        self.screen.event("try 2", self._resume_line() or "nothing was resumed")
        self._airflow.wait(lambda: self._watch("try 2") and self._upload_ended(), "end of the upload")
        state = self._airflow.task(RUN_ID, "upload").state
        if state != "success":
            raise DemoFailedError(f"the retry ended as {state}; logs in {self._airflow.home}/logs")
        result = self._airflow.xcom(RUN_ID, "upload")
        self.screen.event("success", f"the service's CRC-64 of all parts is the file's: {result['crc64']}", "green")

    def _upload_ended(self) -> bool:
        return self._airflow.task(RUN_ID, "upload").ended

    def _watch(self, label: str) -> int:
        time.sleep(0.15)  # the server being asked is the one that takes the parts
        held = {record.part_number for record in self._oss.requests("UploadPart") if record.status == 200}
        self.screen.progress(label, len(held), PARTS, f"{len(held)} of {PARTS} parts")
        return len(held)

    def _resume_line(self) -> str:
        """Return what the second try's task log says about resuming, as soon as it does."""
        for log in self._airflow.home.glob("logs/**/task_id=upload/attempt=2.log"):
            whole_lines = log.read_text().split("\n")[:-1]
            events = (str(json.loads(line).get("event", "")) for line in whole_lines)
            return next((event for event in events if event.startswith("resume:")), "")
        return ""

    def _report(self) -> None:
        first, second = split_tries(self._oss.requests())
        saved = SIZE - second.bytes
        self.screen.table(
            [
                ["", "parts", "sent", ""],
                ["try 1", *_row(first), "killed"],
                ["try 2", *_row(second), "success"],
                ["saved by resuming", str(PARTS - len(second.parts)), _mib(saved), f"{100 * saved // SIZE} %"],
            ]
        )
        source, stored = _sha256(self._source), self._stored_sha256()
        self.screen.text(f"\n  SHA-256 of source  {source}\n          of object  {stored}\n")
        if source != stored:
            raise DemoFailedError("the object is not the file")
        if set(first.parts) & set(second.parts):
            raise DemoFailedError(f"sent twice: {sorted(set(first.parts) & set(second.parts))}")

    def _stored_sha256(self) -> str:
        credentials = Credentials(self._oss.access_key_id, self._oss.access_key_secret)
        digest = hashlib.sha256()
        with (
            OSSClient(self._oss.url, credentials, self._oss.region) as client,
            client.get_object(BUCKET, KEY) as (_, blocks),
        ):
            for block in blocks:
                digest.update(block)
        return digest.hexdigest()


def _row(sent: TrySent) -> list[str]:
    return [str(len(sent.parts)), _mib(sent.bytes)]


def _mib(size: int) -> str:
    return f"{size / MIB:.0f} MiB"


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(MIB):
            digest.update(block)
    return digest.hexdigest()
