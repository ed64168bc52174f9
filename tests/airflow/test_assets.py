"""The URIs of assets (datasets): one spelling for one object, on this Airflow, through its own registry."""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.assets import Asset, AssetAlias
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_oss_resume.devserver import DevServer
from airflow_provider_oss_resume.lineage.assets import (
    bucket_and_key,
    convert_asset_to_openlineage,
    create_asset,
    object_uri,
)
from airflow_provider_oss_resume.lineage.datasets import Written
from airflow_provider_oss_resume.lineage.outlets import note_written, tell_outlets
from airflow_provider_oss_resume.task_groups.sharded import resumable_upload_group
from demo.versions import AIRFLOW_3


@pytest.mark.parametrize(
    ("written", "uri"),
    [
        ("oss://bucket/key", "oss://bucket/key"),
        ("OSS://bucket/a/b/", "oss://bucket/a/b"),
        ("oss://conn@bucket/key", "oss://bucket/key"),
        ("oss://bucket//key", "oss://bucket/key"),
        ("oss://bucket", "oss://bucket/"),
        ("oss://bucket/100%", "oss://bucket/100%25"),
        ("oss://bucket/a%20b", "oss://bucket/a%20b"),
        ("oss://bucket/a b", "oss://bucket/a%20b"),
    ],
)
def test_one_spelling(written: str, uri: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Airflow 2 tells that it drops the connection id
        assert Asset(written).uri == uri


@pytest.mark.parametrize("uri", ["oss:///key", "oss://bucket/key?a=b"])
def test_bad_uris_are_refused(uri: str) -> None:
    if AIRFLOW_3:
        with pytest.raises(ValueError, match="the URI of an asset in OSS"):
            Asset(uri)
    else:  # Airflow 2 warns
        with pytest.warns(UserWarning, match="the URI of an asset in OSS"):
            Asset(uri)


@pytest.mark.parametrize("key", ["a", "a/b.csv", "日/ü ?#%&+.csv", "x" * 400, "%41", ""])
def test_every_key_has_an_asset_and_comes_back(key: str) -> None:
    asset = create_asset(bucket="bucket", key=key)
    assert asset.uri == object_uri("bucket", key)
    assert asset.uri.isascii()
    assert bucket_and_key(asset.uri) == ("bucket", key)
    dataset = convert_asset_to_openlineage(asset, None)
    assert (dataset.namespace, dataset.name) == ("oss://bucket", key or "/")


class Events(dict[Any, Any]):
    """What Airflow keeps of a task's outlets."""

    def __missing__(self, outlet: Any) -> Any:
        added: list[Any] = []
        self[outlet] = SimpleNamespace(extra={}, added=added, add=lambda asset, extra: added.append((asset.uri, extra)))
        return self[outlet]


def test_an_outlet_gets_the_facts_of_the_object_that_it_names_or_those_of_the_whole() -> None:
    one, other, named, alias = Asset("oss://b/1"), Asset("oss://b/3"), Asset("s3://b/k"), AssetAlias("files")
    events = Events()
    task = SimpleNamespace(outlets=[one, other, named, alias, "no asset"])
    objects = [Written("oss://b/1", {"size": 1}), Written("oss://b/2", {"size": 2})]
    tell_outlets(task, {"outlet_events": events}, objects, {"size": 3})
    assert [events[outlet].extra["size"] for outlet in (one, other, named)] == [1, 3, 3]
    assert events[alias].added == [("oss://b/1", {"size": 1}), ("oss://b/2", {"size": 2})]
    assert "no asset" not in events


def test_an_outlet_that_airflow_refuses_fails_no_task(caplog: pytest.LogCaptureFixture) -> None:
    tell_outlets(SimpleNamespace(outlets=[Asset("oss://b/1")]), {}, [], {})
    assert "no facts can be added to the event of asset" in caplog.text


def test_a_task_without_outlets_needs_no_events(caplog: pytest.LogCaptureFixture) -> None:
    tell_outlets(SimpleNamespace(outlets=[]), {}, [Written("oss://b/1")], {})
    note_written(object(), ["oss://b/1"])
    assert caplog.text == ""


def test_both_names_of_the_registry_are_filled(oss: DevServer) -> None:
    from airflow.providers_manager import ProvidersManager

    manager: Any = ProvidersManager()  # type: ignore[no-untyped-call]
    factories = manager.asset_factories if AIRFLOW_3 else manager.dataset_factories
    converters = manager.asset_to_openlineage_converters if AIRFLOW_3 else manager.dataset_to_openlineage_converters
    assert factories["oss"](bucket="b", key="k").uri == "oss://b/k"
    assert converters["oss"](Asset("oss://b/k"), None).name == "k"


def test_only_the_last_task_of_a_group_has_its_outlets() -> None:
    with DAG("outlets_of_a_group", schedule=None) as dag:
        resumable_upload_group(
            "big", source="/a", key="oss://b/k", workers=2, on_failure="abort", outlets=[Asset("oss://b/k")]
        )
    assert {task.task_id for task in dag.tasks if task.outlets} == {"big.complete"}
