"""Operations on buckets."""

from __future__ import annotations

from airflow_provider_oss_resume.oss import limits, xml
from airflow_provider_oss_resume.oss.operation import Operation
from airflow_provider_oss_resume.oss.service import Service


class BucketOperations(Service):
    """Create, delete and list buckets."""

    def list_buckets(self) -> list[str]:
        """Return the names of up to a thousand buckets of the account in this region."""
        operation = Operation("ListBuckets", "GET", query={"max-keys": str(limits.MAX_LIST)})
        return self.call(operation, lambda reply: xml.parse_buckets(reply.body))

    def put_bucket(self, bucket: str) -> None:
        """Create a bucket in the region of the endpoint; an own bucket of that name is kept."""
        self.call(Operation("PutBucket", "PUT", bucket), lambda _reply: None)

    def delete_bucket(self, bucket: str) -> None:
        """Delete an empty bucket.

        :raises ServiceError: it holds objects or uploads in progress (``BucketNotEmpty``).
        """
        self.call(Operation("DeleteBucket", "DELETE", bucket), lambda _reply: None)
