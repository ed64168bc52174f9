"""DAGs that wait for objects; the run's configuration says for which."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_oss_resume.sensors.object import OSSObjectSensor

KEY = "{{ dag_run.conf['key'] }}"


def one_sensor_dag(dag_id: str, **arguments: Any) -> DAG:
    with DAG(dag_id=dag_id, schedule=None, is_paused_upon_creation=False) as dag:
        OSSObjectSensor(
            **{
                "task_id": "wait",
                "key": KEY,
                "bucket_name": "examplebucket",
                "poke_interval": 0.5,
                "timeout": 60,
                **arguments,
            }
        )
    return dag


poke = one_sensor_dag("wait_poke", min_size="4", crc64="{{ dag_run.conf.get('crc64', '') }}")
several = one_sensor_dag("wait_several", key=[KEY, KEY + ".*"], wildcard_match=True)
timed_out = one_sensor_dag("wait_timed_out", timeout=1)
soft = one_sensor_dag("wait_soft", timeout=1, soft_fail=True)
nowhere = one_sensor_dag("wait_nowhere", bucket_name="no-such-bucket")
soft_nowhere = one_sensor_dag("wait_soft_nowhere", bucket_name="no-such-bucket", soft_fail=True)
reschedule = one_sensor_dag("wait_reschedule", mode="reschedule")
deferred = one_sensor_dag("wait_deferred", deferrable=True, newer_than="{{ dag_run.conf['newer_than'] }}")
