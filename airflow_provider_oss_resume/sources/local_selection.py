"""Files of this machine as a selection: paths, globs and directories."""

from __future__ import annotations

import errno
import logging
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from airflow_provider_oss_resume.exceptions import ConfigurationError, OSSResumeError
from airflow_provider_oss_resume.sources.local_file import LocalFile
from airflow_provider_oss_resume.sources.local_path import (
    ABOUT_BRACES,
    error_of_open,
    has_braces,
    is_directory,
    local_path,
)
from airflow_provider_oss_resume.sources.selection import (
    NamePatterns,
    SelectedFile,
    Unreadable,
    glob_regex,
    split_glob,
)

log = logging.getLogger(__name__)

SYMLINKS = ("follow", "skip", "fail")


@dataclass(frozen=True, slots=True)
class _Walk:
    """One directory to walk.

    :param regex: relative paths must match it; ``None``: all.
    :param deepest: levels of directories to enter; ``None``: all.
    """

    root: str
    regex: re.Pattern[str] | None = None
    deepest: int | None = None


class LocalSelection:
    """Files named by paths, globs and directories.

    :param paths: each a file, a directory (with all below it), or a glob; ``~`` and ``file://`` URLs are understood. A
        path that exists is never read as a glob.
    :param names: chooses among the files of directories and globs.
    :param symlinks: ``follow`` (a loop of links is an error), ``skip``, or ``fail``: a symbolic link below a directory
        is an unreadable path.
    :raises ConfigurationError: an argument cannot work.
    """

    def __init__(
        self, paths: Sequence[str | os.PathLike[str]], names: NamePatterns | None = None, symlinks: str = "follow"
    ) -> None:
        if symlinks not in SYMLINKS:
            raise ConfigurationError(f"symlinks is {symlinks!r:.60}: write 'follow', 'skip' or 'fail'")
        self._paths = [local_path(path) for path in paths]
        self._names = names or NamePatterns()
        self._symlinks = symlinks

    def files(self) -> Iterator[SelectedFile | Unreadable]:
        for path in self._paths:
            yield from self._of_path(path)

    def source(self, location: str) -> LocalFile:
        return LocalFile(location)

    def _of_path(self, path: str) -> Iterator[SelectedFile | Unreadable]:
        root, pattern = split_glob(path)
        # lexists(): a dead link called report[1].csv is that file, and no pattern for others.
        if pattern and not os.path.lexists(path):
            yield from self._of_pattern(path, root, pattern)
            return
        try:
            status = os.stat(path)
        except (OSError, ValueError) as error:
            yield Unreadable(path, str(error_of_open(path, error)))
            return
        if stat.S_ISDIR(status.st_mode):
            yield from self._walk(_Walk(path))
        else:
            yield SelectedFile(path, os.path.basename(path), status.st_size)

    def _of_pattern(self, path: str, root: str, pattern: str) -> Iterator[SelectedFile | Unreadable]:
        is_empty, deepest = True, None if "**" in pattern.split("/") else pattern.count("/")
        found: Iterable[SelectedFile | Unreadable]
        try:
            found = self._walk(_Walk(root, glob_regex(pattern, hidden=False), deepest)) if is_directory(root) else ()
        except OSSResumeError as error:  # "no file matches" would be green with if_empty
            found = (Unreadable(root, str(error)),)
        for one in found:
            is_empty = False
            yield one
        if is_empty:  # in a list nothing else would tell
            about = f"; {ABOUT_BRACES}" if has_braces(path) else ""
            log.warning("no file matches the pattern %r, and no file has this name%s", path, about)

    def _walk(self, walk: _Walk) -> Iterator[SelectedFile | Unreadable]:
        # A stack of our own: a tree may be deeper than Python's recursion limit.
        pending = [_Directory(walk.root, "", 0)]
        while pending:
            directory = pending.pop()
            try:
                with os.scandir(directory.path) as entries:
                    for entry in entries:
                        yield from self._of_entry(walk, directory, entry, pending)
            except OSError as error:
                yield Unreadable(directory.path, f"directory {directory.path!r} cannot be read: {error.strerror}")

    def _of_entry(
        self, walk: _Walk, directory: _Directory, entry: os.DirEntry[str], pending: list[_Directory]
    ) -> Iterator[SelectedFile | Unreadable]:
        relative = directory.prefix + entry.name
        if entry.is_symlink() and self._symlinks != "follow":
            if self._symlinks == "fail":
                yield Unreadable(entry.path, f"{entry.path!r} is a symbolic link, and symlinks is 'fail'")
            return
        try:
            enters = _leads_to_directory(entry)
        except OSError as error:  # a volume that was mounted again; taken for a file, it need not match the pattern
            yield Unreadable(entry.path, f"{entry.path!r} cannot be read: {error.strerror}")
            return
        if enters:
            if walk.deepest is None or directory.depth < walk.deepest:
                yield from _enter(directory, entry, pending)
        elif (walk.regex is None or walk.regex.fullmatch(relative)) and self._names.accept(relative):
            yield _selected(entry, relative)


@dataclass(frozen=True, slots=True)
class _Directory:
    """A directory to read.

    :param prefix: its path below the root, with a trailing slash.
    :param above: device and inode of it and of the directories above that a link led to.
    """

    path: str
    prefix: str
    depth: int
    above: frozenset[tuple[int, int]] = field(default_factory=frozenset)


def _leads_to_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.EACCES, errno.ENOTDIR, errno.ENAMETOOLONG):
            raise
        # A link to itself, or one that leads where this user may not look: reported like a file that cannot be read.
        return False


def _enter(directory: _Directory, entry: os.DirEntry[str], pending: list[_Directory]) -> Iterator[Unreadable]:
    above = directory.above
    if entry.is_symlink():
        # A link to a directory above it, and a link back to one that a link has led to. Two links to one directory are
        # no loop.
        real, here = os.path.realpath(entry.path), os.path.realpath(directory.path)
        if here == real or here.startswith(real.rstrip("/") + "/"):
            yield Unreadable(entry.path, f"{entry.path!r} is a link to a directory above it: a loop")
            return
        status = entry.stat()
        if (status.st_dev, status.st_ino) in above:
            yield Unreadable(entry.path, f"{entry.path!r} is a link that leads back to itself: a loop")
            return
        above = above | {(status.st_dev, status.st_ino)}
    pending.append(_Directory(entry.path, directory.prefix + entry.name + "/", directory.depth + 1, above))


def _selected(entry: os.DirEntry[str], relative: str) -> SelectedFile | Unreadable:
    try:
        status = entry.stat()
    except OSError as error:  # removed meanwhile, or a link that leads nowhere
        return Unreadable(entry.path, str(error_of_open(entry.path, error)))
    return SelectedFile(entry.path, relative, status.st_size)
