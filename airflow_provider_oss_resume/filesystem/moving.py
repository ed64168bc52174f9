"""Which objects a move copies and deletes.

fsspec copies, then deletes whatever is under the source's path: files that arrived meanwhile, and the copies themselves
where a folder moves into itself. OSS can hold an object ``a`` and an object ``a/``, of which a path copies only one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_oss_resume.filesystem.pairs import Pair, for_each

if TYPE_CHECKING:
    from airflow_provider_oss_resume.filesystem.changes import Name, OSSChanges


def move(fs: OSSChanges, pairs: Sequence[Pair]) -> None:
    """Copy each source to its target, then delete what was copied.

    :raises ValueError: a source would be overwritten before it is moved.
    """
    wanted = [pair for pair in pairs if fs.split(pair[0]) != fs.split(pair[1])]
    over = {fs.split(source) for source, _ in wanted} & {fs.split(target) for _, target in wanted}
    files = [source for source, _ in wanted if fs.split(source) in over and fs.isfile(source)]
    if files:
        raise ValueError(f"{files[0]} would be overwritten before it is moved: move it to another place first")
    copied: list[Name | None] = []
    for_each(lambda pair: copied.append(fs.cp_file(*pair)), wanted)
    fs.delete_objects(name for name in copied if name is not None)
