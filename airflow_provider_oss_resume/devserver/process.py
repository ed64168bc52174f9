"""The dev server as a child process, for tests and demos. This side needs the standard library only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from airflow_provider_oss_resume.devserver.faults.plan import FaultRule
from airflow_provider_oss_resume.devserver.http.request_log import RequestRecord, record_of_json

_ANNOUNCEMENT = "OSS dev server: "
_STOP_TIMEOUT = 10.0
# A proxy of the environment does not lead to this machine.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class DevServer:
    """Run ``python -m airflow_provider_oss_resume.devserver`` and use its control paths.

    Use it as a context manager. ``start`` after ``kill`` or ``stop`` uses the same root and port.

    :param root: directory of all data, also readable after the process ends.
    :param port: 0 for any free port.
    :param buckets: created at start if they do not exist.
    :param faults: JSON file of planned faults.
    :param options: further options of the command, such as ``("--strict-client-encryption",)``.
    """

    def __init__(
        self,
        root: Path | str,
        access_key_id: str = "test-id",
        access_key_secret: str = "test-secret",  # noqa: S107 - it protects nothing
        region: str = "cn-hangzhou",
        buckets: Sequence[str] = (),
        security_tokens: Sequence[str] = (),
        host: str = "127.0.0.1",
        port: int = 0,
        faults: Path | str | None = None,
        clock_offset: float = 0.0,
        python: str = sys.executable,
        options: Sequence[str] = (),
    ) -> None:
        self.root = Path(root)
        self.access_key_id = access_key_id
        self.access_key_secret = access_key_secret
        self.region = region
        self.buckets = tuple(buckets)
        self.security_tokens = tuple(security_tokens)
        self.host = host
        self.port = port
        self.faults_file = faults
        self.clock_offset = clock_offset
        self._python = python
        self._options = tuple(options)
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> DevServer:  # noqa: PYI034 - Self is not in Python 3.10
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Return the endpoint for clients."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def pid(self) -> int:
        """Return the process id of the running server."""
        return self._running().pid

    def start(self) -> None:
        """Start the server and return when it accepts connections."""
        if self._process is not None:
            raise RuntimeError("the dev server is already running")
        self.root.mkdir(parents=True, exist_ok=True)
        # A file, because a pipe that nobody reads fills up, and the server then waits in its next message.
        with (self.root / "devserver.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                # Closed by the kernel when this process ends, however it ends: the server stops then.
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=self._environment(),
            )
        self._read_port(self._process)

    def stop(self) -> None:
        """Stop the server by SIGTERM; does nothing if it is not running."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._reap()

    def kill(self) -> None:
        """Stop the server by SIGKILL."""
        self._running().kill()
        self._reap()

    def requests(self, operation: str | None = None) -> list[RequestRecord]:
        """Return the logged requests of all runs on this root, or those of one operation."""
        found = [record_of_json(values) for values in self._control("GET", "requests")["requests"]]
        return [record for record in found if operation in (None, record.operation)]

    def clear_requests(self) -> None:
        """Clear the request log."""
        self._control("DELETE", "requests")

    def plan(self, *rules: FaultRule) -> None:
        """Add faults to the plan; a restart clears the plan.

        :raises ValueError: a rule names an operation that does not exist.
        """
        self._control("POST", "faults", [rule.as_json() for rule in rules])

    def clear_faults(self) -> None:
        """Remove all planned faults."""
        self._control("DELETE", "faults")

    @property
    def sts_url(self) -> str:
        """Return the endpoint of the fake STS."""
        return f"{self.url}/-/sts"

    @property
    def metadata_url(self) -> str:
        """Return the endpoint of the fake instance metadata service."""
        return f"{self.url}/-/metadata"

    @property
    def credentials_uri(self) -> str:
        """Return the URI of the fake credentials service."""
        return f"{self.url}/-/credentials"

    def set_token_lifetime(self, seconds: float | None) -> None:
        """Set the lifetime of temporary credentials issued from now on.

        :param seconds: ``None`` for the lifetime that the client asks for.
        """
        self._control("PUT", "tokens", {"lifetime": seconds})

    def faults_fired(self) -> int:
        """Return how many requests have had a planned fault so far, also those that a delay still holds."""
        return sum(int(one["fired"]) for one in self._control("GET", "faults")["faults"])

    def unfired(self) -> list[str]:
        """Return a description of each planned fault that has not fired as often as planned."""
        faults = self._control("GET", "faults")["faults"]
        return [f"fired {one['fired']} times: {one['rule']}" for one in faults if not one["spent"]]

    def assert_all_fired(self) -> None:
        """Raise ``AssertionError`` unless every planned fault fired as often as planned."""
        unfired = self.unfired()
        if unfired:
            raise AssertionError("planned faults did not fire:\n" + "\n".join(unfired))

    def log_text(self) -> str:
        """Return the server's standard error output."""
        return (self.root / "devserver.log").read_text(encoding="utf-8", errors="replace")

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise RuntimeError("the dev server is not running")
        return self._process

    def _reap(self) -> None:
        process, self._process = self._running(), None
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()

    def _command(self) -> list[str]:
        command = [self._python, "-m", "airflow_provider_oss_resume.devserver", "--stop-with-stdin"]
        command += ["--host", self.host, "--port", str(self.port), "--root", str(self.root)]
        command += ["--region", self.region, "--clock-offset", str(self.clock_offset)]
        for bucket in self.buckets:
            command += ["--bucket", bucket]
        for token in self.security_tokens:
            command += ["--security-token", token]
        return [*command, *(["--faults", str(self.faults_file)] if self.faults_file else []), *self._options]

    def _environment(self) -> dict[str, str]:
        package_root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, (package_root, os.environ.get("PYTHONPATH"))))
        return {
            **os.environ,
            "PYTHONPATH": path,
            # By environment, because the command line can be read by every user of the machine.
            "OSS_DEV_ACCESS_KEY_ID": self.access_key_id,
            "OSS_DEV_ACCESS_KEY_SECRET": self.access_key_secret,
        }

    def _read_port(self, process: subprocess.Popen[str]) -> None:
        line = process.stdout.readline() if process.stdout else ""
        if not line.startswith(_ANNOUNCEMENT):
            self.stop()
            raise RuntimeError(f"the dev server did not start: {self.log_text()}")
        # Kept for the next start: clients of a killed server find it again at the same address.
        self.port = int(line.rsplit(":", 1)[1])

    def _control(self, method: str, path: str, values: object = None) -> Any:
        body = None if values is None else json.dumps(values).encode()
        request = urllib.request.Request(f"{self.url}/-/{path}", body, method=method)  # noqa: S310 - our own server
        try:
            with _DIRECT.open(request, timeout=30) as answer:
                text = answer.read()
        except urllib.error.HTTPError as refusal:
            with refusal:
                raise ValueError(f"the dev server refused {path}: {refusal.read().decode()}") from None
        return json.loads(text) if text else None
