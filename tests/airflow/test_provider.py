"""What Airflow makes of our provider info: its schemas, its command line, its connection form."""

from __future__ import annotations

import importlib
import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import airflow
import pytest

from airflow_provider_oss_resume.hooks.connection.connection_settings import ConnectionFields, read_settings
from airflow_provider_oss_resume.hooks.oss import OSSResumeHook
from airflow_provider_oss_resume.provider_info import CONNECTION_FIELDS, CONNECTION_TYPE, get_provider_info
from airflow_provider_oss_resume.version import __version__
from demo.versions import AIRFLOW_3

AIRFLOW = Path(airflow.__file__).parent
only_2 = pytest.mark.skipif(AIRFLOW_3, reason="the form of Airflow 2")
only_3 = pytest.mark.skipif(not AIRFLOW_3, reason="the form of Airflow 3")

# The part of the connection table that is not in the schema of provider infos: Airflow 3.2 and later draw it.
FORM_OF_3 = AIRFLOW / "provider.yaml.schema.json"


def validate(document: object, schema: Any) -> None:
    importlib.import_module("jsonschema").validate(document, schema)


def command(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    """Run an `airflow` command in this process and return its JSON."""
    parser = importlib.import_module("airflow.cli.cli_parser").get_parser()
    arguments = parser.parse_args([*words, "--output", "json"])
    capsys.readouterr()
    arguments.func(arguments)
    return json.loads(capsys.readouterr().out)


def test_it_is_what_the_schema_of_this_airflow_asks_for() -> None:
    schema = json.loads((AIRFLOW / "provider_info.schema.json").read_text())
    validate(get_provider_info(), schema)


@only_3
def test_the_connection_form_is_what_its_schema_asks_for() -> None:
    schema = json.loads(FORM_OF_3.read_text())["properties"]["connection-types"]
    validate(get_provider_info()["connection-types"], schema)


@pytest.mark.parametrize("kind", ["hooks", "operators", "sensors", "triggers"])
def test_the_modules_it_names_exist(kind: str) -> None:
    for entry in get_provider_info()[kind]:
        for name in entry["python-modules"]:
            importlib.import_module(name)


def test_airflow_lists_the_provider(capsys: pytest.CaptureFixture[str]) -> None:
    found = [one for one in command(capsys, "providers", "list") if "oss-resume" in one["package_name"]]
    assert [one["package_name"] for one in found] == ["airflow-provider-oss-resume"]
    described = command(capsys, "providers", "get", "airflow-provider-oss-resume")
    assert described == [{"Provider": "airflow-provider-oss-resume", "Version": __version__}]


def test_airflow_lists_the_hook_under_its_own_type_only(capsys: pytest.CaptureFixture[str]) -> None:
    ours = [one for one in command(capsys, "providers", "hooks") if "airflow_provider_oss_resume" in json.dumps(one)]
    assert [one["connection_type"] for one in ours] == ["oss_resume"]
    assert ours[0]["class"] == "airflow_provider_oss_resume.hooks.oss.OSSResumeHook"


def test_a_connection_of_our_type_gives_our_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SOME_OSS", json.dumps({"conn_type": "oss_resume"}))
    assert isinstance(OSSResumeHook.get_hook("some_oss"), OSSResumeHook)


@only_3
def test_airflow_3_draws_our_form_without_importing_the_hook() -> None:
    service = importlib.import_module("airflow.api_fastapi.core_api.services.ui.connections").HookMetaService
    form = next(one for one in service.hook_meta_data() if one.connection_type == CONNECTION_TYPE)
    assert form.hook_name == "Alibaba Cloud OSS (resumable)"
    assert form.standard_fields.url_schema.title == "Bucket"
    assert form.standard_fields.port.hidden
    fields = form.extra_fields
    assert list(fields) == list(CONNECTION_FIELDS)
    assert fields["security_token"]["schema"]["format"] == "password"
    assert fields["addressing_style"]["schema"]["enum"] == ["auto", "virtual", "path", "cname"]
    assert fields["read_timeout"]["schema"]["type"] == ["number", "null"]


@only_2
def test_airflow_2_draws_our_form_without_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    providers: Any = importlib.import_module("airflow.providers_manager").ProvidersManager()
    with caplog.at_level(logging.WARNING):
        assert providers.hooks[CONNECTION_TYPE]
        widgets = {key: one for key, one in providers.connection_form_widgets.items() if CONNECTION_TYPE in key}
    assert [record.message for record in caplog.records if "oss_resume" in record.message] == []
    assert [key.removeprefix(f"extra__{CONNECTION_TYPE}__") for key in widgets] == list(CONNECTION_FIELDS)
    sensitive = [one.field_name for one in widgets.values() if one.is_sensitive]
    assert sensitive == ["security_token"]
    behaviour = providers.field_behaviours[CONNECTION_TYPE]
    assert behaviour["relabeling"]["schema"] == "Bucket"
    assert "port" in behaviour["hidden_fields"]


@only_2
def test_the_fields_of_airflow_2_take_what_they_offer_and_refuse_the_rest() -> None:
    multidict = importlib.import_module("werkzeug.datastructures").MultiDict
    form_class = type("Form", (importlib.import_module("wtforms").Form,), OSSResumeHook.get_connection_form_widgets())
    assert form_class(multidict({"addressing_style": "path", "read_timeout": "5"})).validate()
    bad = form_class(multidict({"addressing_style": "dns", "signature_version": "v2"}))
    assert not bad.validate()
    assert set(bad.errors) == {"addressing_style", "signature_version"}


def test_the_defaults_the_form_shows_are_those_the_hook_has() -> None:
    necessary: dict[str, Any] = {"host": "https://oss-cn-hangzhou.aliyuncs.com", "login": "id", "password": "secret"}
    shown = {name: one["schema"]["default"] for name, one in CONNECTION_FIELDS.items() if "default" in one["schema"]}
    bare = read_settings(ConnectionFields("c", CONNECTION_TYPE, **necessary))
    saved = read_settings(ConnectionFields("c", CONNECTION_TYPE, **necessary, extra=shown))
    assert shown
    assert saved == bare


# ---------------------------------------------------------------- what a DAG file pays

IMPORTS = """
import sys
from airflow.providers.common.compat.sdk import AirflowFailException, BaseHook, BaseOperator
before = set(sys.modules)
import airflow_provider_oss_resume.operators.upload, airflow_provider_oss_resume.hooks.oss
import airflow_provider_oss_resume.provider_info
print(" ".join({name.partition(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names))
"""


def test_importing_the_operator_imports_nothing_else() -> None:
    """Airflow imports every DAG file again and again; what a task needs is imported when it runs."""
    done = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True, timeout=60)
    new = set(done.stdout.splitlines()[-1].split())
    assert new - {"airflow"} == {"airflow_provider_oss_resume"}
