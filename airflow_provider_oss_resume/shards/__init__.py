"""Uploads over many processes, without Airflow: plan, send each shard, complete."""

from airflow_provider_oss_resume.shards.batch_plan import BatchPlan
from airflow_provider_oss_resume.shards.plan import Plan, ShardResult
from airflow_provider_oss_resume.shards.sharded_batch import ShardedBatch, Uploaders
from airflow_provider_oss_resume.shards.sharded_upload import ShardedUpload
from airflow_provider_oss_resume.shards.sharding import Sharding

__all__ = ["BatchPlan", "Plan", "ShardResult", "ShardedBatch", "ShardedUpload", "Sharding", "Uploaders"]
