"""Tell Airflow what a task wrote and read: events of its outlets, and the lineage of hooks.

Nothing here fails a task: its objects are complete.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_oss_resume.lineage.assets import object_uri
from airflow_provider_oss_resume.lineage.datasets import Written

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

log = logging.getLogger(__name__)


def tell_outlets(task: Any, context: Context, written: Sequence[Written], whole: Mapping[str, Any]) -> None:
    """Add what was written to the events of the task's outlets.

    An alias gets an event for everything written. The extra of an asset gets the facts of the object that it names, or
    those of the whole task.

    :param whole: the facts of the task's result.
    """
    if not getattr(task, "outlets", None):
        return
    facts = {one.uri: dict(one.facts) for one in written}
    for outlet in task.outlets:
        try:
            _tell(context, outlet, facts, dict(whole))
        except Exception as error:  # noqa: BLE001 - whatever Airflow makes of an outlet that somebody else defines
            log.warning("no facts can be added to the event of asset %r: %s: %s", outlet, type(error).__name__, error)


def _tell(context: Context, outlet: Any, facts: Mapping[str, dict[str, Any]], whole: dict[str, Any]) -> None:
    from airflow.providers.common.compat.assets import Asset, AssetAlias

    events: Any = context["outlet_events"]
    if isinstance(outlet, AssetAlias):
        for uri, extra in facts.items():
            events[outlet].add(Asset(uri), extra=extra)
    elif isinstance(outlet, Asset) or hasattr(outlet, "resolve"):  # a reference of Airflow 3 to an asset
        events[outlet].extra.update(facts.get(getattr(outlet, "uri", ""), whole))


def note_written(task: Any, uris: Sequence[str]) -> None:
    """Add assets to the lineage that hooks collect, for backends that read it."""
    _note("add_output_asset", task, uris)


def note_object_written(hook: Any, bucket: str, key: str) -> None:
    """Add an object that a hook wrote to the lineage that hooks collect."""
    _note("add_output_asset", hook, [object_uri(bucket, key)])


def note_object_read(hook: Any, bucket: str, key: str) -> None:
    """Add an object that a hook read to the lineage that hooks collect."""
    _note("add_input_asset", hook, [object_uri(bucket, key)])


def _note(method: str, context: Any, uris: Sequence[str]) -> None:
    try:
        from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector

        collector: Any = get_hook_lineage_collector()  # type: ignore[no-untyped-call]
        for uri in uris:
            getattr(collector, method)(context=context, uri=uri)
    except Exception as error:  # noqa: BLE001 - whatever a lineage backend raises
        log.warning("%d objects cannot be added to the lineage: %s: %s", len(uris), type(error).__name__, error)
