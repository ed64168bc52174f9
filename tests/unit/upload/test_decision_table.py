"""The table in the docstring of the resume decision says what the functions do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from airflow_provider_oss_resume.oss.models import ObjectInfo
from airflow_provider_oss_resume.sources.layout import PartPlan
from airflow_provider_oss_resume.sources.source import Fingerprint
from airflow_provider_oss_resume.upload.resume import decision as resume
from airflow_provider_oss_resume.upload.resume.decision import (
    BucketState,
    Candidate,
    Decision,
    Listing,
    adoptable,
    decide,
    stored_before,
)
from tests.unit.upload.samples import MIB, SIZE, TARGET, checkpoint_of, part

PARTS = (part(1), part(2))
STORED = ObjectInfo(SIZE, "ETAG", 7, "text/csv", "", "Multipart", "Standard")
GONE = Listing.NO_SUCH_UPLOAD


def rows() -> list[tuple[str, str, str]]:
    """Return the cells of the table: checkpoint, bucket, and the name of the action."""
    lines = (resume.__doc__ or "").splitlines()
    rules = [number for number, line in enumerate(lines) if line.startswith("====")]
    edges = [len(rule) for rule in lines[rules[0]].split(" ")]
    first, second = edges[0], edges[0] + 1 + edges[1]
    cut = [(line[:first].strip(), line[first + 1 : second].strip(), line[second + 1 :]) for line in lines]
    return [
        (checkpoint, bucket, text.split(":")[0].split(" ")[0])
        for checkpoint, bucket, text in cut[rules[1] + 1 : rules[2]]
    ]


def with_key(**changes: object) -> Decision:
    encrypted = replace(TARGET, wrapped_key="KEY")
    return decide(encrypted, checkpoint_of([1], **{"wrapped_key": "KEY", **changes}), BucketState(PARTS))


def of_size(size: int) -> Decision:
    target = replace(TARGET, plan=PartPlan(size, MIB), fingerprint=Fingerprint(size, "now"))
    return decide(target, checkpoint_of([1]), BucketState(PARTS))


CASES: dict[tuple[str, str], Callable[[], Decision | None]] = {
    ("none", "not asked"): lambda: decide(TARGET, None, None),
    ("other object", "not asked"): lambda: decide(TARGET, checkpoint_of([1], key="b.csv"), None),
    ("other headers", "not asked"): lambda: decide(TARGET, checkpoint_of([1], options_digest="other"), None),
    ("other data key", "not asked"): lambda: with_key(wrapped_key="OTHER"),
    ("encrypted and source changed", "not asked"): lambda: with_key(fingerprint=Fingerprint(SIZE, "other")),
    ("source is empty now", "not asked"): lambda: of_size(0),
    ("part size too small now", "not asked"): lambda: of_size(10_001 * MIB),
    ("usable", "lists parts"): lambda: decide(TARGET, checkpoint_of([1]), BucketState(PARTS)),
    ("usable", "denies ListParts"): lambda: decide(TARGET, checkpoint_of([1]), BucketState(Listing.DENIED)),
    ("usable", "no upload, object of this size"): lambda: decide(TARGET, checkpoint_of(), BucketState(GONE, STORED)),
    ("usable", "no upload, no such object"): lambda: decide(TARGET, checkpoint_of(), BucketState(GONE)),
    ("none", "uploads of this key, parts fit"): lambda: adoptable(TARGET, Candidate("ID", "", PARTS)),
    ("none", "uploads of this key, empty"): lambda: adoptable(TARGET, Candidate("ID", "", ())),
    ("none, but this is a retry", "object of this size"): lambda: stored_before(TARGET, STORED),
}


def test_each_row_of_the_table_has_a_case_and_each_case_a_row() -> None:
    assert [row[:2] for row in rows()] == list(CASES)


@pytest.mark.parametrize(("checkpoint", "bucket", "action"), rows())
def test_the_function_decides_as_the_table_says(checkpoint: str, bucket: str, action: str) -> None:
    decision = CASES[checkpoint, bucket]()
    assert decision is not None
    assert decision.action.name == action


def test_an_unchanged_encrypted_source_is_resumed() -> None:
    """Otherwise the rows with a data key would say nothing."""
    assert with_key().action.name == "CONTINUE"
