"""What the checkpoint keeps of each part's rows, in the note of the part; pure."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass

from airflow_provider_oss_resume.checkpoint.packed_parts import MAX_NOTE
from airflow_provider_oss_resume.exceptions import CheckpointError, ConfigurationError
from airflow_provider_oss_resume.export.rows.row_source import Key


@dataclass(frozen=True, slots=True)
class PartNote:
    """Describe the rows of a part.

    :param rows: number of rows.
    :param raw_size: bytes of the rows before compression, without a header.
    :param last_key: of the last row, where rows have a key; a retry asks for what comes after it.
    :param is_last: the object ends with this part.
    :param footer: what ending the object needs of the part: in Parquet, the description of its row groups.
    """

    rows: int
    raw_size: int
    last_key: Key | None = None
    is_last: bool = False
    footer: bytes = b""

    def encode(self) -> str:
        """Return the text of the note.

        :raises ConfigurationError: it is too long for a checkpoint.
        """
        footer = base64.b64encode(zlib.compress(self.footer)).decode() if self.footer else ""
        values = [self.rows, self.raw_size, self.last_key, int(self.is_last), footer]
        text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
        if (size := len(text.encode())) > MAX_NOTE:
            raise ConfigurationError(
                f"the checkpoint would keep {size:,} bytes of one part, and its limit is {MAX_NOTE:,}: name columns "
                "with shorter values in order_by; for Parquet, set statistics='none', a larger row_group_size or a "
                "smaller part_size, or select fewer columns"
            )
        return text


def decode_note(text: str) -> PartNote:
    """Return the note of a text.

    :raises CheckpointError: the text is no note of an export.
    """
    try:
        rows, raw_size, key, is_last, footer = json.loads(text)
        last_key = None if key is None else tuple(map(str, key))
        return PartNote(int(rows), int(raw_size), last_key, bool(is_last), _expanded(footer))
    except (ValueError, TypeError, zlib.error) as error:
        raise CheckpointError(f"the note of a part cannot be read ({type(error).__name__})") from error


def _expanded(footer: str) -> bytes:
    return zlib.decompress(base64.b64decode(footer, validate=True)) if footer else b""
