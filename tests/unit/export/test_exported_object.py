from __future__ import annotations

import json
from dataclasses import replace

from airflow_provider_oss_resume.checkpoint.record import decode, encode
from airflow_provider_oss_resume.export.exported_object import ExportedObject, Finished, add_section, read_section
from airflow_provider_oss_resume.export.split_store import SplitStore
from airflow_provider_oss_resume.sources.source import Fingerprint
from airflow_provider_oss_resume.stores.memory import MemoryStore
from tests.unit.upload.samples import checkpoint_of

FINISHED = Finished((ExportedObject("k0", 1, "e", 2**64 - 1, 3, 4, 2**63, 6),), ("2024-06-01", "é'"))
TEXT = encode(replace(checkpoint_of(), part_size=0, parts=(), fingerprint=Fingerprint(0, "tag")))


def test_finished_objects_come_back() -> None:
    assert read_section(add_section(TEXT, FINISHED), "tag") == FINISHED


def test_the_checkpoint_can_be_read_without_them() -> None:
    assert decode(add_section(TEXT, FINISHED)) == decode(TEXT)


def test_nothing_is_taken_from_another_export() -> None:
    assert read_section(add_section(TEXT, FINISHED), "other") == Finished()


def test_nothing_is_taken_from_a_text_that_is_damaged_or_lacks_them() -> None:
    document = json.loads(add_section(TEXT, FINISHED))
    document["export"]["content"]["objects"][0]["rows"] = 4
    for text in (None, "", "{}", TEXT, json.dumps(document)):
        assert read_section(text, "tag") == Finished()


def test_a_checkpoint_stays_until_the_next_object_has_one() -> None:
    whole = MemoryStore()
    store = SplitStore(whole)
    store.save(TEXT)
    store.delete()
    store.note_finished(FINISHED)
    assert store.load() is None
    assert read_section(whole.load(), "tag") == Finished()
    store.save(TEXT)
    assert read_section(store.load(), "tag") == FINISHED
