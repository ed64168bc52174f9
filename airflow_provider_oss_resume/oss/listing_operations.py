"""Listings of the objects in a bucket."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_oss_resume.oss import limits, xml
from airflow_provider_oss_resume.oss.models import ListedObject
from airflow_provider_oss_resume.oss.operation import Operation
from airflow_provider_oss_resume.oss.replies import require_advance
from airflow_provider_oss_resume.oss.service import Service
from airflow_provider_oss_resume.oss.xml import ObjectsPage


class ListingOperations(Service):
    """List objects and prefixes (ListObjectsV2)."""

    def list_objects(
        self, bucket: str, prefix: str = "", *, delimiter: str = "", start_after: str = ""
    ) -> Iterator[ListedObject]:
        """Yield all objects under a prefix, page by page, in the order of their keys.

        :param delimiter: leave out the objects whose key has this text after the prefix.
        :param start_after: yield only the keys after this one.
        """
        for page in self.object_pages(bucket, prefix, delimiter=delimiter, start_after=start_after):
            yield from page.objects

    def list_prefixes(self, bucket: str, prefix: str = "", *, delimiter: str = "/") -> Iterator[str]:
        """Yield each text between ``prefix`` and the next delimiter once, both included."""
        for page in self.object_pages(bucket, prefix, delimiter=delimiter):
            yield from page.prefixes

    def object_pages(
        self, bucket: str, prefix: str = "", *, delimiter: str = "", start_after: str = "", page_size: int | None = None
    ) -> Iterator[ObjectsPage]:
        """Yield a listing as pages of objects and prefixes.

        :param page_size: entries of a page; 1,000 at most and by default.
        """
        query = {"list-type": "2", "max-keys": str(page_size or limits.MAX_LIST), "encoding-type": "url"}
        names = {"prefix": prefix, "delimiter": delimiter, "start-after": start_after}
        query |= {name: value for name, value in names.items() if value}
        token: str | None = ""
        while token is not None:
            page = self._objects_page(bucket, query | ({"continuation-token": token} if token else {}))
            yield page
            require_advance("ListObjectsV2", token, page.next_token)
            token = page.next_token

    def _objects_page(self, bucket: str, query: dict[str, str]) -> ObjectsPage:
        operation = Operation("ListObjectsV2", "GET", bucket, query=query)
        return self.call(operation, lambda reply: xml.parse_objects(reply.body))
