"""What the errors of foreign file systems show."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from airflow_provider_oss_resume.exceptions import ConfigurationError, SourceError
from airflow_provider_oss_resume.remote_sources.filesystems import Location, _missing, error_of
from airflow_provider_oss_resume.remote_sources.object_storage import OpenObjectStorageFile
from airflow_provider_oss_resume.sources.source import SIZE_ONLY, Fingerprint


class Talkative:
    """A filesystem whose errors hold secrets.

    :param works: how many calls succeed.
    """

    def __init__(self, works: int) -> None:
        self._left = works

    def invalidate_cache(self) -> None:
        """Have no cache."""

    def info(self, path: str) -> dict[str, Any]:
        self._answer()
        return {"name": path, "size": 10, "etag": "x", "type": "file"}

    def cat_file(self, _path: str, start: int, end: int) -> bytes:
        self._answer()
        return bytes(end - start)

    def _answer(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise OSError("no answer from https://me:hush-hush@example.com/a?sig=hush-hush")


def read(works: int) -> None:
    opened = OpenObjectStorageFile(Location(Talkative(works), "a", "s3://bucket/a"))
    with opened.open_range(0, 10) as reader:
        reader.read_into(memoryview(bytearray(10)))


@pytest.mark.parametrize("works", [0, 1, 2], ids=["when opened", "when read", "when checked"])
def test_no_secret_is_in_the_traceback_of_an_error_of_a_file_system(works: int) -> None:
    with pytest.raises(SourceError, match="s3://bucket/a cannot be read: OSError") as caught:
        read(works)
    assert "hush-hush" not in "".join(traceback.format_exception(caught.value))


PROVIDERS = {
    "amazon[s3fs]": ("s3", "s3a", "s3n"),
    "google": ("gs", "gcs"),
    "microsoft-azure": ("abfs", "abfss", "adl"),
    "sftp[sshfs]": ("sftp", "ssh"),
}


@pytest.mark.parametrize(("scheme", "provider"), [(one, name) for name, all_ in PROVIDERS.items() for one in all_])
def test_each_scheme_names_the_package_that_serves_it(scheme: str, provider: str) -> None:
    error = _missing(f"{scheme}://bucket/a", ImportError("No module named 'client'"))
    assert str(error).endswith(f"install apache-airflow-providers-{provider}")


def test_a_scheme_that_no_provider_of_airflow_serves_names_no_package() -> None:
    error = _missing("hdfs://host/a", ValueError("No filesystem registered for scheme hdfs"))
    assert "has the scheme 'hdfs', which no installed filesystem serves" in str(error)


class Refusal(Exception):
    """What Azure or Google raise."""

    def __init__(self, **fields: int) -> None:
        self.__dict__.update(fields)


@pytest.mark.parametrize(
    "error", [PermissionError(), Refusal(status_code=403), Refusal(code=401), OSError("Forbidden: b/o\nno access")]
)
def test_each_library_has_a_word_for_a_refusal(error: Exception) -> None:
    shown = error_of(Location(None, "a", "s3://bucket/a"), error)
    assert isinstance(shown, ConfigurationError)
    assert "s3://bucket/a may not be read" in str(shown)


def test_a_login_in_the_error_of_a_file_system_is_not_shown() -> None:
    error = OSError("no answer from https://me:hush-hush@example.com/a?Signature=abcdef")
    shown = str(error_of(Location(None, "a", "s3://bucket/a"), error))
    assert shown.startswith("s3://bucket/a cannot be read: OSError: no answer from https://***@example.com/a")
    assert "hush-hush" not in shown
    assert "abcdef" not in shown


class Laconic(Talkative):
    """A filesystem that tells only what it is asked to tell here."""

    def __init__(self, **told: object) -> None:
        super().__init__(works=0)
        self._told = told

    def info(self, path: str) -> dict[str, Any]:
        return {"name": path, "size": 10, "type": "file", **self._told}

    def ukey(self, path: str) -> str:
        return f"hash of {self.info(path)}"

    def cat_file(self, path: str, start: int = 0, end: int = 0) -> bytes:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("told", "tag", "strong"),
    [
        ({}, SIZE_ONLY, False),
        ({"mtime": 7.5}, "7.5", False),
        ({"ETag": '"a"', "mtime": 7.5}, '"a"', True),
        ({"inode": 7}, "hash of {'name': 'a.bin', 'size': 10, 'type': 'file', 'inode': 7}", False),
    ],
)
def test_what_shows_an_edit(told: dict[str, object], tag: str, strong: bool) -> None:
    opened = OpenObjectStorageFile(Location(Laconic(**told), "a.bin", "x://a.bin"))
    assert opened.fingerprint == Fingerprint(10, tag, strong)
