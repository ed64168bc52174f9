"""What is said of the cause of an error of another library."""

from __future__ import annotations

from http.client import BadStatusLine

from airflow_provider_oss_resume.oss.http.error_causes import describe_root_cause


def test_it_is_one_line() -> None:
    """The status line of a port that speaks no HTTP broke the line of the log in two."""
    assert describe_root_cause(BadStatusLine("SSH-2.0-OpenSSH_8.9\r\n")) == "BadStatusLine: SSH-2.0-OpenSSH_8.9"
