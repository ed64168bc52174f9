"""Operations that change objects that exist: append, tag, delete many."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from airflow_provider_oss_resume.oss import limits, xml
from airflow_provider_oss_resume.oss.http.messages import HTTPReply
from airflow_provider_oss_resume.oss.models import StoredObject
from airflow_provider_oss_resume.oss.operation import NO_HEADERS, Operation
from airflow_provider_oss_resume.oss.replies import stored_object
from airflow_provider_oss_resume.oss.service import Service


class ChangeOperations(Service):
    """Append to objects, tag them, delete many of them."""

    def append_object(
        self, bucket: str, key: str, position: int, body: bytes, headers: Mapping[str, str] = NO_HEADERS
    ) -> StoredObject:
        """Append bytes to an object, or create it at position 0. Sent once: repeated, it would append twice.

        :param position: the length of the object before.
        """
        query = {"append": "", "position": str(position)}
        typed = {"Content-Type": "application/octet-stream", **headers}
        operation = Operation("AppendObject", "POST", bucket, key, query, typed, body, retried=False)
        return self.call(operation, stored_object)

    def put_object_tagging(self, bucket: str, key: str, tags: Mapping[str, str]) -> None:
        """Replace the tags of an object; without tags all are removed.

        :param tags: up to 10.
        """
        if tags:
            operation = Operation("PutObjectTagging", "PUT", bucket, key, {"tagging": ""}, body=xml.render_tags(tags))
        else:
            operation = Operation("DeleteObjectTagging", "DELETE", bucket, key, {"tagging": ""})
        self.call(operation, lambda _reply: None)

    def delete_objects(self, bucket: str, keys: Iterable[str]) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
        """Delete many objects, 1,000 a request; one that does not exist counts as deleted.

        :return: for each request the keys that were sent and those of them that OSS did not delete.
        """
        rest = iter(keys)
        while page := list(islice(rest, limits.MAX_DELETE)):
            deleted = self._delete_page(bucket, page)
            yield page, [key for key in page if key not in deleted]

    def _delete_page(self, bucket: str, keys: Sequence[str]) -> frozenset[str]:
        body = xml.render_delete(keys)
        digest = base64.b64encode(hashlib.md5(body).digest()).decode()
        headers = {"Content-MD5": digest, "Content-Type": "application/xml"}
        query = {"delete": "", "encoding-type": "url"}
        operation = Operation("DeleteMultipleObjects", "POST", bucket, None, query, headers, body)

        def read(reply: HTTPReply) -> frozenset[str]:
            return frozenset(xml.parse_deleted(reply.body))

        return self.call(operation, read)
