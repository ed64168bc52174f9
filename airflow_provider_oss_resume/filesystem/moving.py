"""Which objects a move copies and deletes.

fsspec copies, then deletes whatever is under the source's path: files that arrived meanwhile, and the copies themselves
where a folder moves into itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_oss_resume.filesystem.pairs import Pair, for_each

if TYPE_CHECKING:
    from airflow_provider_oss_resume.filesystem.oss import OSSFileSystem


def move(fs: OSSFileSystem, pairs: Sequence[Pair]) -> None:
    """Copy each source to its target, then delete the sources.

    :raises ValueError: a source would be overwritten before it is moved.
    """
    wanted = [pair for pair in pairs if fs.split(pair[0]) != fs.split(pair[1])]
    over = {fs.split(source) for source, _ in wanted} & {fs.split(target) for _, target in wanted}
    files = [source for source, _ in wanted if fs.split(source) in over and fs.isfile(source)]
    if files:
        raise ValueError(f"{files[0]} would be overwritten before it is moved: move it to another place first")
    for_each(lambda pair: fs.cp_file(*pair), wanted)
    fs.delete_named([source for source, _ in wanted], with_folders=True)
