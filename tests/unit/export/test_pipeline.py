from __future__ import annotations

import pytest

from airflow_provider_oss_resume.exceptions import SourceError
from airflow_provider_oss_resume.export.pipeline import require_row_by_row


def test_several_rows_in_one_message_are_refused() -> None:
    require_row_by_row(3, 3)
    require_row_by_row(3, None)
    with pytest.raises(SourceError, match="fast_path=False"):
        require_row_by_row(2, 3)
