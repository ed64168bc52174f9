"""The checkpoint store of an export that makes several objects, one upload after the other."""

from __future__ import annotations

from airflow_provider_oss_resume.checkpoint.store import CheckpointStore
from airflow_provider_oss_resume.export.exported_object import Finished, add_section


class SplitStore:
    """Keep the list of finished objects in the checkpoint of the object in progress.

    The checkpoint of an object that is complete stays until the first part of the next one is about to be sent, so that
    there is one at any moment; it is not shown to the next object's upload.

    :ivar whole: keeps the text.
    :ivar finished: the objects that are complete.
    """

    def __init__(self, store: CheckpointStore) -> None:
        self._is_done = False
        self.whole = store
        self.finished = Finished()

    def note_finished(self, finished: Finished) -> None:
        """Note the objects that are complete; called between two objects."""
        self.finished = finished

    def load(self) -> str | None:
        return None if self._is_done else self.whole.load()

    def save(self, text: str) -> None:
        self._is_done = False
        self.whole.save(add_section(text, self.finished))

    # Only noted, see above: without any checkpoint a try that is killed here would begin at the first object.
    def delete(self) -> None:
        self._is_done = True
