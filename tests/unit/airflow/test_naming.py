"""Names of checkpoints: whatever Airflow takes as an id, the name of its Variable is one that Airflow takes too."""

from __future__ import annotations

import re

import pytest

from airflow_provider_oss_resume.stores.naming import TaskIdentity

# Words that make Airflow 2.11 or 3.3 hide a Variable by its name (airflow-facts.md section 2).
MASKED = (
    "access_key access_token api_key apikey authorization bearer connection_string dsn keyfile_dict passphrase passwd "
    "password private_key proxies proxy secret service_account service_key token webhook_url".split()
)

WILD = [
    TaskIdentity("token_refresh", "scheduled__2026-01-01T00:00:00+00:00", "upload"),
    TaskIdentity("d" * 250, "r" * 250, "t" * 250, 1023),
    TaskIdentity("заказы", "手动__2026", "выгрузка.الرفع"),
    TaskIdentity("secret-exports", "manual/with spaces, and : signs", "group.password", 0),
    TaskIdentity("surrogate\ud800", "r", "t"),
]


@pytest.mark.parametrize("identity", WILD, ids=range(len(WILD)))
def test_a_key_holds_nothing_of_the_ids(identity: TaskIdentity) -> None:
    key = identity.store_key()
    assert re.fullmatch(r"oss_resume_[0-9a-f]{40}", key)
    assert [word for word in MASKED if word in key] == []


def test_other_ids_have_other_keys() -> None:
    identities = [
        TaskIdentity("a", "b", "c"),
        TaskIdentity("ab", "", "c"),
        TaskIdentity("a", "b", "c", 0),
        TaskIdentity("a", "b", "c", 1),
        TaskIdentity("a", "c", "b"),
        TaskIdentity('a","b', "b", "c"),
    ]
    assert len({identity.store_key() for identity in identities}) == len(identities)


def test_a_key_stays_the_same_for_ever() -> None:
    """A worker that was upgraded between two tries must find the checkpoint of the first."""
    assert TaskIdentity("dag", "run", "task").store_key() == "oss_resume_d8966c33a8c603eaca48e6dbe1517cd5dc592d78"


@pytest.mark.parametrize(
    ("identity", "shown"),
    [
        (TaskIdentity("sales", "manual__1", "upload"), "sales.upload of manual__1"),
        (TaskIdentity("sales", "manual__1", "upload", 7), "sales.upload[7] of manual__1"),
    ],
)
def test_people_see_the_ids(identity: TaskIdentity, shown: str) -> None:
    assert str(identity) == shown
