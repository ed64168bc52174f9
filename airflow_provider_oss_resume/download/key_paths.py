"""Where the objects under a prefix are written."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Mapping

from airflow_provider_oss_resume.exceptions import ConfigurationError


def relative_paths(keys: Iterable[str], prefix: str) -> dict[str, str]:
    """Return the path of each object below the folder that a prefix names.

    Keys that end in ``/`` stand for folders and are left out.

    :param prefix: the part up to its last ``/`` is not repeated in the paths.
    :raises ConfigurationError: a key cannot be a path below a folder.
    """
    start = prefix.rfind("/") + 1
    return {key: require_below(key[start:], key) for key in keys if not key.endswith("/")}


def flat_paths(keys: Iterable[str]) -> dict[str, str]:
    """Return the last segment of each key.

    :raises ConfigurationError: two keys have the same one, or a key has none.
    """
    paths: dict[str, str] = {}
    for key in keys:
        name = require_below(posixpath.basename(key), key)
        if name in paths.values() and key not in paths:
            raise ConfigurationError(f"two keys end in {name!r}: download them to different folders, or by prefix")
        paths[key] = name
    return paths


def require_files(paths: Mapping[str, str]) -> None:
    """Refuse local paths that cannot all be files.

    :param paths: by key.
    :raises ConfigurationError: one is the folder of another, or a folder is there already.
    """
    keys = {path: key for key, path in paths.items()}
    for path, key in keys.items():
        if os.path.isdir(os.path.expanduser(path)):
            raise ConfigurationError(f"{path} is a folder, and key {key!r} would be a file there: choose another path")
        end = path.find("/", 1)
        while end > 0:
            if (other := keys.get(path[:end])) is not None:
                raise ConfigurationError(
                    f"keys {other!r} and {key!r} would be a file and a folder of one path: download one by itself"
                )
            end = path.find("/", end + 1)


def require_below(path: str, key: str) -> str:
    """Return the path.

    :raises ConfigurationError: it leads out of its folder, or to a file of another key.
    """
    # "../" in a key would write outside of the folder; "a//b" and "a/./b" would overwrite "a/b".
    if any(segment in ("", ".", "..") for segment in path.split("/")) or "\0" in path:
        raise ConfigurationError(f"key {key!r} cannot be a path below a folder: download it by itself, with a path")
    return path
