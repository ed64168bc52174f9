"""What Airflow's own DAG reader makes of a folder, as JSON: `python -m tests.docs.dag_folder FOLDER`.

A process of its own, because a DAG file must stand on its own imports and because Airflow keeps the
settings that it read first.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

from demo.versions import AIRFLOW_3


def read(folder: str) -> dict[str, Any]:
    """Return DAG ids by file, import errors and warnings."""
    reader = import_module("airflow.dag_processing.dagbag" if AIRFLOW_3 else "airflow.models.dagbag")
    bag = reader.DagBag(folder) if AIRFLOW_3 else reader.DagBag(folder, include_examples=False)
    return {
        "dags": {dag.fileloc: dag_id for dag_id, dag in bag.dags.items()},
        "tags": {dag_id: sorted(dag.tags) for dag_id, dag in bag.dags.items()},
        "errors": {str(path): str(error) for path, error in bag.import_errors.items()},
        "warnings": {str(path): list(found) for path, found in bag.captured_warnings.items()},
    }


if __name__ == "__main__":
    json.dump(read(sys.argv[1]), sys.stdout)
