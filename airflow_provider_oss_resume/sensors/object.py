"""Wait until objects are in a bucket."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, BaseSensorOperator, PokeReturnValue, conf

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.hooks.location import locate, require_bucket
from airflow_provider_oss_resume.hooks.oss import OSSResumeHook
from airflow_provider_oss_resume.operators.arguments.values import keys_of, size_in_bytes, text, truth, whole_number
from airflow_provider_oss_resume.operators.tries.failing import failing_for_good

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_oss_resume.object_io.expectation import Expectation


class OSSObjectSensor(BaseSensorOperator):
    """Wait until an object, or each of several, is in the bucket and meets the conditions.

    Returns the keys that were found to XCom.

    :param key: a key, a pattern, ``oss://bucket/key``, or a list of them. (templated)
    :param bucket_name: default: the bucket in ``key``, else the schema field of the connection. (templated)
    :param wildcard_match: read ``key`` as a pattern with ``*``, ``?`` and ``[]``.
    :param use_regex: read ``key`` as a regular expression for the whole key.
    :param min_size: least size, as bytes or ``"8MiB"``. (templated)
    :param exact_size: size, as bytes or ``"8MiB"``. (templated)
    :param crc64: CRC-64 of the object's bytes, such as the ``crc64`` that an upload returns. (templated)
    :param newer_than: a datetime, or an ISO-8601 string with a time zone such as ``"{{ data_interval_end }}"``;
        only objects modified after it count. (templated)
    :param oss_conn_id: connection of type ``oss_resume`` or ``oss``. (templated)
    :param deferrable: wait in the triggerer, without a worker slot; default: ``[operators] default_deferrable``.
    """

    template_fields: Sequence[str] = (
        "key",
        "bucket_name",
        "min_size",
        "exact_size",
        "crc64",
        "newer_than",
        "oss_conn_id",
    )
    ui_color = "#e2f0d9"

    def __init__(
        self,
        *,
        key: str | Sequence[str],
        bucket_name: str | None = None,
        wildcard_match: bool = False,
        use_regex: bool = False,
        min_size: int | str | None = None,
        exact_size: int | str | None = None,
        crc64: int | str | None = None,
        newer_than: datetime | str | None = None,
        oss_conn_id: str = OSSResumeHook.default_conn_name,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.key = key
        self.bucket_name = bucket_name
        self.wildcard_match = truth("wildcard_match", wildcard_match)
        self.use_regex = truth("use_regex", use_regex)
        if self.wildcard_match and self.use_regex:
            raise ConfigurationError("wildcard_match and use_regex are both True: choose one")
        self.min_size = min_size
        self.exact_size = exact_size
        self.crc64 = crc64
        self.newer_than = newer_than
        self.oss_conn_id = oss_conn_id
        self.deferrable = truth("deferrable", deferrable)

    def poke(self, context: Context) -> bool | PokeReturnValue:  # noqa: ARG002 - Airflow calls it so
        """Look once; a deferrable sensor defers if something is missing."""
        from airflow_provider_oss_resume.object_io.expectation import still_missing

        with failing_for_good():
            hook = self._hook()
            with hook.get_client() as client:
                found, missing = still_missing(client, self._expectations(hook))
        if not missing:
            return PokeReturnValue(is_done=True, xcom_value=found)
        self.log.info("waiting for %s", ", ".join(missing[:10]))
        if self.deferrable:
            # Here, and not in execute(): Airflow's execute() obeys soft_fail and its like if the look fails.
            self._defer()
        return False

    def _defer(self) -> None:
        from airflow_provider_oss_resume.object_io.expectation import as_values
        from airflow_provider_oss_resume.triggers.object import OSSObjectTrigger

        hook = self._hook()
        expectations = [as_values(one) for one in self._expectations(hook)]
        self.defer(
            trigger=OSSObjectTrigger(expectations, hook.oss_conn_id, float(self.poke_interval)),
            method_name="execute_complete",
            timeout=timedelta(seconds=float(self.timeout)),
        )

    def execute_complete(self, context: Context, event: dict[str, Any]) -> list[str]:  # noqa: ARG002 - Airflow calls it so
        """Return the keys that the trigger found.

        :raises AirflowFailException: OSS refused a request, and no retry can succeed.
        """
        if event["status"] != "success":
            raise AirflowFailException(event["message"])
        keys: list[str] = event["keys"]
        return keys

    def _hook(self) -> OSSResumeHook:
        return OSSResumeHook(text("oss_conn_id", self.oss_conn_id) or "")

    def _expectations(self, hook: OSSResumeHook) -> list[Expectation]:
        from airflow_provider_oss_resume.object_io.expectation import Conditions, Expectation

        bucket_name = text("bucket_name", self.bucket_name)
        found = [self._place(key, bucket_name, hook.bucket) for key in keys_of("key", self.key)]
        match = "wildcard" if self.wildcard_match else "regex" if self.use_regex else "key"
        conditions = Conditions(
            size_in_bytes("min_size", self.min_size),
            size_in_bytes("exact_size", self.exact_size),
            whole_number("crc64", self.crc64),
            _moment(self.newer_than),
        )
        return [Expectation(bucket, key, match, conditions) for bucket, key in found]

    def _place(self, key: str, bucket_name: str | None, default_bucket: str | None) -> tuple[str, str]:
        """Return bucket and key or pattern; only a regular expression may begin with a backslash."""
        if self.use_regex and key.startswith("\\"):
            return require_bucket(bucket_name, default_bucket), key
        return locate(key, bucket_name, default_bucket)


def _moment(value: datetime | str | None) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value
    given = text("newer_than", value)
    try:
        return None if given is None else datetime.fromisoformat(given.replace("Z", "+00:00"))
    except ValueError as error:
        raise ConfigurationError(
            f"newer_than is {given!r}: it must be an ISO-8601 time, such as 2026-01-01T00:00:00+00:00"
        ) from error
