"""Plain values with a SHA-256 over their content; pure.

The hash tells a plan that was written by hand, or changed on its way, from one that a plan task made. It is not a
signature: whoever can write XComs can compute it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from airflow_provider_oss_resume.exceptions import PlanError
from airflow_provider_oss_resume.version import __version__

_HASH = "sha256"


def seal(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with their hash and the version of this package."""
    versioned = {**content, "version": __version__}
    return {**versioned, _HASH: _hash(versioned)}


def unseal(values: object) -> dict[str, Any]:
    """Return the values that were sealed.

    :raises PlanError: the hash is not theirs, or another version of this package sealed them.
    """
    content = dict(values) if isinstance(values, Mapping) else {}
    found = content.pop(_HASH, None)
    if found is None or found != _hash(content):
        raise PlanError(
            f"the plan task did not make this plan ({shown(values)}): plans cannot be written by hand; clear the plan "
            "task"
        )
    version = content.pop("version", None)
    if version != __version__:
        raise PlanError(
            f"the plan is of version {version} of airflow-provider-oss-resume, and this worker has {__version__}: "
            "install one version on all workers, then clear the plan task"
        )
    return content


def shown(values: object) -> str:
    """Return values for a message, without their contents."""
    return f"{type(values).__name__} with {sorted(values)!r:.80}" if isinstance(values, Mapping) else f"{values!r:.80}"


def _hash(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
