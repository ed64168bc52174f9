"""Lists of URLs of web servers."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from airflow_provider_oss_resume.remote_sources.choose_source import selection_of
from airflow_provider_oss_resume.sources.selection import NamePatterns, SelectedFile
from tests.conformance.sources.http_files import HTTPFiles


def test_urls_that_differ_in_their_queries_are_all_found(tmp_path: Path) -> None:
    (tmp_path / "download").write_text("x")
    with closing(HTTPFiles(tmp_path)) as files:
        urls = [f"{files.url}/download?id={number}" for number in (1, 2)]
        selection = selection_of(urls, NamePatterns())
        found = list(selection.files())
    shown = f"{files.url}/download"
    assert found == [SelectedFile(shown, "download", 1), SelectedFile(f"{shown}#2", "download", 1)]
    assert selection.source(found[1].location).uri == shown
