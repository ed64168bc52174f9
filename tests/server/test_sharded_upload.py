"""One upload over several processes, step by step against the dev server."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_oss_resume.devserver import FaultKind
from airflow_provider_oss_resume.exceptions import (
    AccessDeniedError,
    AlreadyExistsError,
    ConfigurationError,
    PlanError,
    SourceChangedError,
    SourceError,
    UploadCancelled,
)
from airflow_provider_oss_resume.oss.crc64 import crc64
from airflow_provider_oss_resume.shards import Plan, ShardedUpload, Sharding, ShardResult
from airflow_provider_oss_resume.shards.plan import PlanOrigin
from airflow_provider_oss_resume.shards.sharding import split_parts
from airflow_provider_oss_resume.stores.memory import MemoryStore
from airflow_provider_oss_resume.transfer.bandwidth import BandwidthLimiter
from airflow_provider_oss_resume.transfer.limits import make_limiter
from airflow_provider_oss_resume.upload import Cancel, IfExists, ObjectOptions, Uploader, UploadRequest
from tests.fakes import RenewableProvider
from tests.server.conftest import TOKENS, ClientFactory
from tests.server.uploads import BUCKET, PART, PARTS, Scene, content

THREE = Sharding(3)


def sharded(scene: Scene, store: MemoryStore | None = None, **changes: Any) -> ShardedUpload:
    return ShardedUpload(Uploader(scene.client, store), scene.request(**changes))


def planned(scene: Scene, sharding: Sharding = THREE, **changes: Any) -> Plan:
    """Make a plan, and pass it on as Airflow does."""
    return Plan.from_dict(sharded(scene, scene.store, **changes).plan(sharding).as_dict())


def sent(scene: Scene, plan: Plan, *shards: int, **changes: Any) -> list[ShardResult]:
    results = [sharded(scene, MemoryStore(), **changes).send(plan, shard) for shard in shards]
    return [ShardResult.from_dict(one.as_dict()) for one in results]


# --- the usual way


def test_three_shards_make_one_object(scene: Scene) -> None:
    plan = planned(scene)
    results = sent(scene, plan, 2, 0, 1)
    result = sharded(scene).complete(plan, results)
    assert scene.stored() == content()
    assert scene.sent() == list(range(1, PARTS + 1))
    assert (result.size, result.crc64, result.parts) == (len(content()), crc64(content()), PARTS)
    assert (result.bytes_sent, result.resumed, scene.uploads_left()) == (len(content()), False, [])


def test_a_plan_holds_no_secret_and_is_small(scene: Scene) -> None:
    text = str(planned(scene).as_dict())
    assert "test-secret" not in text
    assert len(text) < 1000


def test_a_shard_lists_its_own_parts_only(scene: Scene) -> None:
    plan = planned(scene)
    sent(scene, plan, 0, 1, 2)
    asked = [(one.query.get("part-number-marker", "0"), one.query["max-parts"]) for one in scene.requests("ListParts")]
    assert asked == [("0", "2"), ("2", "3"), ("5", "3")]


def test_a_small_source_is_stored_by_the_plan(scene: Scene) -> None:
    plan = planned(scene, multipart_threshold=10**8)
    assert (plan.count, plan.result["size"], scene.stored()) == (0, len(content()), content())


def test_an_equal_object_needs_no_shard(scene: Scene) -> None:
    scene.upload()
    plan = planned(scene, if_exists=IfExists.SKIP_SAME)
    assert (plan.count, plan.result["skipped"]) == (0, True)


# --- again


def test_a_shard_that_failed_sends_only_what_is_missing(scene: Scene) -> None:
    plan = planned(scene, Sharding(2))
    scene.fail("UploadPart", 403, "AccessDenied", skip=2)
    with pytest.raises(AccessDeniedError):
        sent(scene, plan, 1)
    scene.server.clear_requests()
    [second] = sent(scene, plan, 1)
    assert (scene.sent(), second.parts_reused) == ([7, 8], 2)
    result = sharded(scene).complete(plan, [*sent(scene, plan, 0), second])
    assert (scene.stored(), result.parts_reused) == (content(), 2)


def test_a_shard_may_run_twice(scene: Scene) -> None:
    plan = planned(scene)
    sent(scene, plan, 0, 1, 2)
    scene.server.clear_requests()
    sharded(scene).complete(plan, sent(scene, plan, 0, 1, 2))
    assert (scene.sent(), scene.stored()) == ([], content())


def test_a_plan_that_is_made_again_finds_its_upload(scene: Scene) -> None:
    first = planned(scene)
    sent(scene, first, 0)
    second = planned(scene)
    assert second.destination.upload_id == first.destination.upload_id
    assert second.plan_id != first.plan_id
    scene.server.clear_requests()
    sharded(scene).complete(second, sent(scene, second, 0, 1, 2))
    assert (scene.sent(), scene.stored()) == (list(range(3, PARTS + 1)), content())


def test_a_plan_without_its_checkpoint_adopts_its_upload(scene: Scene) -> None:
    first = planned(scene)
    sent(scene, first, 0)
    scene.store = MemoryStore()
    second = planned(scene)
    assert second.destination.upload_id == first.destination.upload_id
    sharded(scene).complete(second, sent(scene, second, 0, 1, 2))
    assert scene.stored() == content()


def test_without_permission_to_list_the_checkpoint_of_the_shard_serves(scene: Scene) -> None:
    plan = planned(scene, Sharding(2))
    store = MemoryStore()
    scene.fail("ListParts", 403, "AccessDenied", count=None)
    scene.fail("UploadPart", 403, "AccessDenied", skip=2)
    with pytest.raises(AccessDeniedError):
        sharded(scene, store).send(plan, 1)
    scene.server.clear_requests()
    second = sharded(scene, store).send(plan, 1)
    assert (scene.sent(), second.parts_reused, store.text) == ([7, 8], 2, None)
    results = [*sent(scene, plan, 0), ShardResult.from_dict(second.as_dict())]
    sharded(scene).complete(plan, results)
    assert scene.stored() == content()


def test_a_stop_request_keeps_the_parts(scene: Scene) -> None:
    plan, stop = planned(scene), Cancel()
    stop.request("killed", grace=0.0)
    with pytest.raises(UploadCancelled, match="killed"):
        sharded(scene).send(plan, 1, stop)
    sharded(scene).complete(plan, sent(scene, plan, 0, 1, 2))
    assert scene.stored() == content()


def test_a_token_that_expires_within_a_shard_is_renewed(scene: Scene, make_client: ClientFactory) -> None:
    plan, provider = planned(scene), RenewableProvider(list(TOKENS))
    scene.client = make_client(scene.server.url, provider)
    scene.fail("UploadPart", 403, "SecurityTokenExpired", skip=1)
    results = sent(scene, plan, 0, 1, 2)
    sharded(scene).complete(plan, results)
    assert (provider.refreshes, scene.stored()) == (1, content())


def test_the_bandwidth_limit_of_a_group_is_divided(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    shared: list[int] = []

    def note(limit: int | str | None, *, shared_by: Callable[[], int]) -> BandwidthLimiter | None:
        shared.append(shared_by())
        return make_limiter(limit, shared_by=shared_by)

    monkeypatch.setattr("airflow_provider_oss_resume.upload.uploader.make_limiter", note)
    plan = planned(scene, bandwidth_limit="300M")
    sent(scene, plan, 0, bandwidth_limit="300M")
    for unfinished in (9, 2, 0):
        request, left = scene.request(bandwidth_limit="300M"), itertools.repeat(unfinished)
        ShardedUpload(Uploader(scene.client), request, left.__next__).send(plan, 1)
    assert shared == [1, 3, 3, 2, 1]


# --- the end


def test_a_lost_reply_to_complete_is_settled(scene: Scene) -> None:
    plan = planned(scene)
    results = sent(scene, plan, 0, 1, 2)
    scene.fault(FaultKind.DROP_REPLY, "CompleteMultipartUpload")
    assert sharded(scene).complete(plan, results).crc64 == crc64(content())
    assert scene.stored() == content()


def test_a_complete_that_died_after_the_request_is_settled(scene: Scene) -> None:
    plan = planned(scene)
    results = sent(scene, plan, 0, 1, 2)
    sharded(scene).complete(plan, results)
    assert sharded(scene).complete(plan, results).crc64 == crc64(content())
    assert scene.count("CompleteMultipartUpload") == 1


def test_a_shard_that_is_cleared_after_the_end_compares_its_bytes(scene: Scene) -> None:
    plan = planned(scene)
    results = sent(scene, plan, 0, 1, 2)
    sharded(scene).complete(plan, results)
    [again] = sent(scene, plan, 1)
    assert again.content == results[1].content
    sharded(scene).complete(plan, [results[0], again, results[2]])
    assert scene.sent() == list(range(1, PARTS + 1))


@pytest.mark.parametrize("shards", [(0, 2), ()])
def test_a_shard_that_is_missing_is_named(scene: Scene, shards: tuple[int, ...]) -> None:
    plan = planned(scene)
    named = "1" if shards else "0, 1, 2"
    with pytest.raises(PlanError, match=f"no result of shard {named} .*clear the mapped task 'send' with map index"):
        sharded(scene).complete(plan, sent(scene, plan, *shards))
    assert not scene.exists()


def test_results_of_an_older_plan_are_left_out(scene: Scene) -> None:
    older = planned(scene, Sharding(2))
    newer = planned(scene)
    stale = sent(scene, older, 0, 1)
    with pytest.raises(PlanError, match="no result of shard 0, 1, 2"):
        sharded(scene).complete(newer, stale)
    sharded(scene).complete(newer, [*stale, *sent(scene, newer, 0, 1, 2)])
    assert (scene.stored(), scene.sent()) == (content(), list(range(1, PARTS + 1)))


def test_a_part_that_is_missing_names_its_shard(scene: Scene) -> None:
    plan = planned(scene)
    results = sent(scene, plan, 0, 1, 2)
    other = planned(scene)  # of an upload that lacks parts
    lost = replace(other.destination, upload_id=scene.client.initiate_multipart_upload(BUCKET, scene.key, {}))
    forged = replace(plan, upload=lost)
    with pytest.raises(PlanError, match=r"part 1, 2 of shard 0 \(parts 1 to 2\) is not in the bucket.*map index 0"):
        sharded(scene).complete(forged, results)


def test_a_part_with_other_bytes_names_its_shard(scene: Scene) -> None:
    plan = planned(scene)
    results = sent(scene, plan, 0, 1, 2)
    scene.client.upload_part(BUCKET, scene.key, plan.destination.upload_id, 4, b"x" * PART)
    with pytest.raises(PlanError, match=r"shard 1 \(parts 3 to 5\) have other bytes.*map index 1"):
        sharded(scene).complete(plan, results)
    assert not scene.exists()


def test_an_upload_that_was_aborted(scene: Scene) -> None:
    plan = planned(scene)
    results = sent(scene, plan, 0, 1, 2)
    scene.client.abort_multipart_upload(BUCKET, scene.key, plan.destination.upload_id)
    for step in (lambda: sent(scene, plan, 1), lambda: sharded(scene).complete(plan, results)):
        with pytest.raises(PlanError, match=r"is gone.*aborted.*clear the plan task"):
            step()


def test_the_object_of_another_upload_is_not_overwritten_unseen(scene: Scene) -> None:
    plan = planned(scene)
    results = sent(scene, plan, 0, 1, 2)
    scene.client.put_object(BUCKET, scene.key, b"other")
    with pytest.raises(PlanError, match=r"another upload has written .* since the plan was made.*clear the plan task"):
        sharded(scene).complete(plan, results)
    assert scene.stored() == b"other"


def test_of_two_plans_for_the_same_content_one_wins(scene: Scene) -> None:
    ours, theirs = planned(scene), planned(replace(scene, store=MemoryStore()), adopt_uploads=False)
    assert ours.destination.upload_id != theirs.destination.upload_id
    results = sent(scene, ours, 0, 1, 2)
    others = sent(scene, theirs, 0, 1, 2, adopt_uploads=False)
    sharded(scene).complete(ours, results)
    loser = sharded(scene, adopt_uploads=False).complete(theirs, others)
    assert (loser.skipped, scene.uploads_left(), scene.stored()) == (True, [], content())


def test_an_object_that_appeared_and_may_not_be_overwritten(scene: Scene) -> None:
    fail: dict[str, Any] = {"options": ObjectOptions(replace=False), "if_exists": IfExists.FAIL}
    plan = planned(scene, **fail)
    results = sent(scene, plan, 0, 1, 2, **fail)
    scene.fail("CompleteMultipartUpload", 409, "FileAlreadyExists")
    with pytest.raises(AlreadyExistsError):
        sharded(scene, **fail).complete(plan, results)
    assert scene.uploads_left() == []


def test_an_adopted_upload_gets_the_requested_headers(scene: Scene) -> None:
    scene.client.initiate_multipart_upload(BUCKET, scene.key, {"Content-Type": "image/png"})
    typed: dict[str, Any] = {"options": ObjectOptions(content_type="text/x-ours")}
    plan = planned(scene, **typed)
    assert plan.destination.is_adopted
    sharded(scene, **typed).complete(plan, sent(scene, plan, 0, 1, 2, **typed))
    assert scene.client.head_object(BUCKET, scene.key).headers["content-type"] == "text/x-ours"


# --- bad input


def test_a_source_that_changed_since_the_plan(scene: Scene) -> None:
    plan = planned(scene)
    results = sent(scene, plan, 0, 1, 2)
    os.utime(scene.file, ns=(1, 1))
    scene.server.clear_requests()
    for step in (lambda: sent(scene, plan, 0), lambda: sharded(scene).complete(plan, results)):
        with pytest.raises(SourceChangedError, match=f"on {socket.gethostname()} is not the source of the plan"):
            step()
    assert scene.requests("UploadPart") == scene.requests("CompleteMultipartUpload") == []


def test_a_worker_without_the_file_is_named(scene: Scene) -> None:
    plan = replace(planned(scene), origin=PlanOrigin("p1", "worker-1"))
    scene.file.unlink()
    with pytest.raises(SourceError, match=f"worker {socket.gethostname()} cannot read .*which worker-1 could") as error:
        sent(scene, plan, 0)
    assert "shared file system" in str(error.value)


def test_more_shards_than_parts_begin_nothing(scene: Scene) -> None:
    with pytest.raises(ConfigurationError, match=f"shards is 9, and the source has {PARTS} parts"):
        planned(scene, Sharding(9, shards=9))
    assert scene.count("InitiateMultipartUpload") == 0


@pytest.mark.parametrize("change", [{"key": "other"}, {"options": ObjectOptions(content_type="text/x-other")}])
def test_a_task_with_other_arguments_than_the_plan(scene: Scene, change: dict[str, Any]) -> None:
    plan = planned(scene)
    request = replace(scene.request(), **change)
    with pytest.raises(PlanError, match="clear the plan task"):
        ShardedUpload(Uploader(scene.client), request).send(plan, 0)


def test_what_shards_cannot_do(scene: Scene) -> None:
    with pytest.raises(ConfigurationError, match="sequential=True cannot be used with several workers"):
        sharded(scene, sequential=True)
    stream = UploadRequest(iter([b"a"]), BUCKET, scene.key)
    with pytest.raises(ConfigurationError, match="a stream has no ranges"):
        ShardedUpload(Uploader(scene.client), stream)


def test_an_upload_of_another_client_that_takes_parts_only_in_order(scene: Scene) -> None:
    """OSS does not say that it is sequential; the reply to a part does."""
    scene.client.initiate_multipart_upload(BUCKET, scene.key, {}, sequential=True)
    plan = planned(scene)
    assert plan.destination.is_adopted
    with pytest.raises(PlanError, match=r"started by another client.*set adopt_uploads=False, and clear the plan"):
        sent(scene, plan, 2)


# --- scale


def listing_requests(scene: Scene, parts: int, shards: int) -> int:
    """Return the requests with which all shards list their parts of an upload that holds all of them."""
    upload_id = scene.client.initiate_multipart_upload(BUCKET, scene.key, {})
    for number in range(1, parts + 1):
        scene.client.upload_part(BUCKET, scene.key, upload_id, number, b"x")
    scene.server.clear_requests()
    seen = [
        part.number
        for span in split_parts(parts, shards)
        for part in scene.client.list_part_range(BUCKET, scene.key, upload_id, span.first, span.last)
    ]
    assert seen == list(range(1, parts + 1))
    return scene.count("ListParts")


def test_listing_grows_with_parts_and_not_with_shards_times_parts(scene: Scene) -> None:
    assert listing_requests(scene, 500, 64) == 64


@pytest.mark.slow
def test_ten_thousand_parts_over_64_shards(scene: Scene) -> None:
    assert listing_requests(scene, 10_000, 64) == 64
