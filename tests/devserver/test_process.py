"""The command line, and DevServer around it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_oss_resume.devserver import DevServer, FaultKind, FaultRule
from tests.devserver.wire import Wire

COMMAND = [sys.executable, "-m", "airflow_provider_oss_resume.devserver"]
HOME = Path(__file__).parents[2]


def test_the_command_tells_its_address_and_stops_when_asked(tmp_path: Path) -> None:
    plan = tmp_path / "faults.json"
    plan.write_text('[{"kind": "delay", "operation": "PutObject", "seconds": 0}, {"kind": "reset"}]')
    arguments = ["--port", "0", "--root", str(tmp_path / "oss"), "--bucket", "examplebucket", "--faults", str(plan)]
    keys = ["--access-key-id", "test-id", "--access-key-secret", "test-secret", "--region", "cn-hangzhou"]
    with subprocess.Popen(
        [*COMMAND, *arguments, *keys], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=HOME
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = process.stdout.readline().removeprefix("OSS dev server: ").strip()
        assert Wire(url, "examplebucket").send("PUT", "key", body=b"x").status == 200
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == ""
        # Only the fault that did not happen is reported.
        assert process.stderr.read().count("planned fault did not fire (0 times)") == 1
        assert process.wait() == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bucket", "No_Bucket"], "The specified bucket is not valid."),
        (["--faults", "no-such-file.json"], "no-such-file.json"),
        (["--faults", "README.md"], "file 'README.md' is not a fault plan"),
        (["--port", "99999"], "'99999' is not a port: use 0 to 65535"),
        (["--port", "-1"], "'-1' is not a port"),
        (["--host", "300.1.1.1"], "cannot listen on '300.1.1.1', port 0"),
        (["--clock-offset", "nan"], "'nan' is not a clock offset: use seconds"),
        (["--clock-offset", "1e30"], "'1e30' is not a clock offset"),
        (["--access-key-id", "a/b"], "'a/b' is not an access key id"),
        (["--access-key-secret", ""], "the secret is empty"),
        (["--region", "oss-cn-hangzhou"], "use one such as cn-hangzhou, without 'oss-'"),
    ],
)
def test_arguments_that_make_no_sense(tmp_path: Path, arguments: list[str], message: str) -> None:
    command = [*COMMAND, "--port", "0", "--root", str(tmp_path / "oss"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=HOME, timeout=60, check=False)
    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "oss").exists()


def test_a_port_in_use_is_reported_and_leaves_nothing(tmp_path: Path, own_server: DevServer) -> None:
    command = [*COMMAND, "--port", str(own_server.port), "--root", str(tmp_path / "second")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=HOME, timeout=60, check=False)
    assert done.returncode == 1
    assert f"port {own_server.port} (Address already in use" in done.stderr
    assert "use another --host or --port" in done.stderr
    assert not (tmp_path / "second").exists()


def test_a_state_that_is_no_database_is_reported(tmp_path: Path) -> None:
    (tmp_path / "state.sqlite").write_bytes(b"x" * 5000)
    command = [*COMMAND, "--port", "0", "--root", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=HOME, timeout=60, check=False)
    assert done.returncode == 1
    assert f"the state in {str(tmp_path)!r} cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_address_of_version_6(tmp_path: Path) -> None:
    with DevServer(tmp_path / "oss", host="::1", buckets=("examplebucket",)) as server:
        assert server.url == f"http://[::1]:{server.port}"
        assert server.requests() == []


def test_the_server_ends_with_its_parent(tmp_path: Path) -> None:
    script = (
        "import os; from airflow_provider_oss_resume.devserver import DevServer\n"
        f"server = DevServer({str(tmp_path / 'oss')!r}); server.start()\n"
        "print(server.pid, flush=True); os._exit(1)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=HOME, check=False)
    _wait_until_gone(int(done.stdout))


def test_the_same_port_and_secrets_in_every_run(tmp_path: Path) -> None:
    server = DevServer(tmp_path / "oss", access_key_secret="another", buckets=("examplebucket",))
    with server:
        url = server.url
        command = Path(f"/proc/{server.pid}/cmdline").read_bytes()
        assert b"another" not in command
        assert Wire(url, "examplebucket").send("GET").error == (403, "SignatureDoesNotMatch")
        server.kill()
        server.start()
        assert server.url == url
        with pytest.raises(RuntimeError, match="already running"):
            server.start()
    with pytest.raises(RuntimeError, match="not running"):
        server.kill()
    server.stop()  # does nothing, twice


def test_the_request_log_is_of_all_runs_until_it_is_cleared(own_server: DevServer) -> None:
    wire = Wire(own_server.url, "examplebucket")
    wire.send("PUT", "a b", {}, {"x-oss-meta-a": "ü"}, b"12345")
    own_server.kill()
    own_server.start()
    wire.send("GET", "a b", {"response-expires": "x"})
    put, get = own_server.requests()
    assert (put.operation, put.bucket, put.key, put.status, put.body_bytes) == (
        "PutObject",
        "examplebucket",
        "a b",
        200,
        5,
    )
    assert put.headers["x-oss-meta-a"] == "ü"
    assert put.headers["authorization"].endswith("Signature=***")
    assert (get.seq, get.query) == (2, {"response-expires": "x"})
    assert [record.seq for record in own_server.requests("GetObject")] == [2]
    own_server.clear_requests()
    assert own_server.requests() == []


def test_using_the_wrapper_needs_no_server_packages() -> None:
    script = (
        "import sys; import airflow_provider_oss_resume.devserver\n"
        "print([name for name in ('starlette', 'uvicorn', 'airflow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=HOME, check=True)
    assert done.stdout.strip() == "[]"


def _wait_until_gone(pid: int) -> None:
    import time

    deadline = time.monotonic() + 10
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_proxy_of_the_environment_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with DevServer(tmp_path, buckets=("examplebucket",)) as server:
        assert server.requests() == []
        server.plan(FaultRule(FaultKind.REPLY, "GetObject"))
        server.clear_faults()
