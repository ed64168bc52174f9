"""What a task read and wrote, as the OpenLineage provider takes it; that provider imports nothing of this by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_oss_resume.lineage.datasets import Dataset, Flow

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage


def operator_lineage(flow: Flow) -> OperatorLineage[Any, Any]:
    """Return inputs and outputs with their facets; called by the OpenLineage provider, so it is installed."""
    from airflow.providers.openlineage.extractors import OperatorLineage

    return OperatorLineage(
        inputs=[_input(one) for one in flow.inputs],
        outputs=[*map(output_dataset, flow.outputs), *map(_deleted, flow.deleted)],
    )


def output_dataset(dataset: Dataset) -> Any:
    """Return a dataset that was written, with size, rows, number of files and columns where known."""
    from airflow.providers.common.compat.openlineage.facet import OutputDataset, OutputStatisticsOutputDatasetFacet

    statistics = _statistics(dataset)
    return OutputDataset(
        dataset.namespace,
        dataset.name,
        outputFacets={"outputStatistics": OutputStatisticsOutputDatasetFacet(**statistics)} if statistics else {},
        facets=_facets(dataset),
    )


def _input(dataset: Dataset) -> Any:
    from airflow.providers.common.compat.openlineage.facet import InputDataset
    from openlineage.client.generated.input_statistics_input_dataset import InputStatisticsInputDatasetFacet

    statistics = _statistics(dataset)
    return InputDataset(
        dataset.namespace,
        dataset.name,
        inputFacets={"inputStatistics": InputStatisticsInputDatasetFacet(**statistics)} if statistics else {},
        facets=_facets(dataset),
    )


def _deleted(dataset: Dataset) -> Any:
    from airflow.providers.common.compat.openlineage.facet import (
        LifecycleStateChange,
        LifecycleStateChangeDatasetFacet,
        OutputDataset,
        PreviousIdentifier,
    )

    gone = LifecycleStateChangeDatasetFacet(
        lifecycleStateChange=LifecycleStateChange.DROP,
        previousIdentifier=PreviousIdentifier(namespace=dataset.namespace, name=dataset.name),
    )
    return OutputDataset(dataset.namespace, dataset.name, facets={"lifecycleStateChange": gone})


def _statistics(dataset: Dataset) -> dict[str, Any]:
    values = {"size": dataset.size, "rowCount": dataset.rows, "fileCount": dataset.files}
    return {name: value for name, value in values.items() if value is not None}


def _facets(dataset: Dataset) -> dict[str, Any]:
    from airflow.providers.common.compat.openlineage.facet import SchemaDatasetFacet, SchemaDatasetFacetFields

    if not dataset.columns:
        return {}
    fields = [SchemaDatasetFacetFields(name=name, type=kind or None) for name, kind in dataset.columns]
    return {"schema": SchemaDatasetFacet(fields=fields)}
