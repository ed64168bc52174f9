"""What Airflow reads about this package without importing the rest of it.

Airflow 3.2 and later draw the connection form from ``conn-fields``; the hook makes the form of earlier versions
from the same table, so the two cannot differ.
"""

from __future__ import annotations

from typing import Any

CONNECTION_TYPE = "oss_resume"  # not "oss": that would replace the hook of the official provider

CONNECTION_FIELDS: dict[str, dict[str, Any]] = {
    "region": {
        "label": "Region",
        "description": "Such as cn-hangzhou. Needed if the endpoint does not contain it: "
        "custom domains, transfer acceleration, IP addresses.",
        "schema": {"type": ["string", "null"]},
    },
    "auth_type": {
        "label": "Credentials from",
        "description": "ak: the access key of this form. sts: with the token below. "
        "ram_role_arn: a role assumed with it. ecs_ram_role: the role of the instance. "
        "oidc: the role of the pod (RRSA). env: environment variables. "
        "uri and provider: see credentials_uri and credentials_provider in the documentation.",
        "schema": {
            "type": ["string", "null"],
            "enum": ["ak", "sts", "ram_role_arn", "ecs_ram_role", "oidc", "env", "uri", "provider"],
            "default": "ak",
        },
    },
    "security_token": {
        "label": "STS security token",
        "description": "Only with a temporary access key.",
        "schema": {"type": ["string", "null"], "format": "password"},
    },
    "role_arn": {
        "label": "RAM role ARN",
        "description": "Such as acs:ram::123456789012:role/uploader, for ram_role_arn and oidc.",
        "schema": {"type": ["string", "null"]},
    },
    "addressing_style": {
        "label": "Addressing style",
        "description": "auto: the bucket goes before the host, or before the key for IP addresses. "
        "cname: the endpoint is a domain bound to the bucket.",
        "schema": {"type": ["string", "null"], "enum": ["auto", "virtual", "path", "cname"], "default": "auto"},
    },
    "signature_version": {
        "label": "Signature version",
        "schema": {"type": ["string", "null"], "enum": ["v4", "v1"], "default": "v4"},
    },
    "verify": {
        "label": "CA bundle",
        "description": "Path of a CA bundle that replaces the default one.",
        "schema": {"type": ["string", "null"]},
    },
    "proxy": {
        "label": "Proxy",
        "description": "Such as http://proxy.example.com:3128. Proxies of the environment are used only "
        'with "trust_env": true in extra.',
        "schema": {"type": ["string", "null"]},
    },
    "connect_timeout": {
        "label": "Connect timeout (seconds)",
        "schema": {"type": ["number", "null"], "default": 10},
    },
    "read_timeout": {
        "label": "Read timeout (seconds)",
        "schema": {"type": ["number", "null"], "default": 60},
    },
}

HIDDEN_FIELDS = ["port"]
RELABELING = {
    "host": "Endpoint",
    "schema": "Bucket",
    "login": "Access key id",
    "password": "Access key secret",
}
PLACEHOLDERS = {
    "host": "https://oss-cn-hangzhou-internal.aliyuncs.com",
    "schema": "default bucket of the operators, optional",
    "login": "of a RAM user, or the temporary one of an STS token",
}

CONFIG = {
    "oss_resume": {
        "description": "Options of airflow-provider-oss-resume.",
        "options": {
            "checkpoint_keys": {
                "description": "Fernet keys that encrypt checkpoints, separated by commas. "
                "The first encrypts, all decrypt. Keys in the extra of a connection take precedence.",
                "version_added": "0.1.0",
                "type": "string",
                "sensitive": True,
                "example": None,
                "default": "",
            }
        },
    }
}

TRANSFERS = [
    {
        "source-integration-name": "SQL",
        "target-integration-name": "Alibaba Cloud OSS (resumable)",
        "python-module": "airflow_provider_oss_resume.transfers.sql_to_oss",
    }
]


NAME = "Alibaba Cloud OSS (resumable)"
CONNECTION_TYPE_INFO = {
    "connection-type": CONNECTION_TYPE,
    "hook-class-name": "airflow_provider_oss_resume.hooks.oss.OSSResumeHook",
    "hook-name": NAME,
    "conn-fields": CONNECTION_FIELDS,
    "ui-field-behaviour": {
        "hidden-fields": HIDDEN_FIELDS,
        "relabeling": RELABELING,
        "placeholders": PLACEHOLDERS,
    },
}

ASSET_URIS = [
    {
        "schemes": ["oss"],
        "handler": "airflow_provider_oss_resume.lineage.assets.sanitize_uri",
        "factory": "airflow_provider_oss_resume.lineage.assets.create_asset",
        "to_openlineage_converter": "airflow_provider_oss_resume.lineage.assets.convert_asset_to_openlineage",
    }
]

OPERATORS = [
    f"airflow_provider_oss_resume.operators.{name}" for name in ("cleanup", "copy", "delete", "download", "upload")
]


def get_provider_info() -> dict[str, Any]:
    """Describe the provider for Airflow's provider manager."""
    return {
        "package-name": "airflow-provider-oss-resume",
        "name": "Alibaba Cloud OSS, resumable",
        "description": "Uploads to Alibaba Cloud OSS that resume after a crash.",
        "integrations": [
            {
                "integration-name": NAME,
                "external-doc-url": "https://www.alibabacloud.com/help/en/oss/",
                "tags": ["service"],
            }
        ],
        "hooks": [{"integration-name": NAME, "python-modules": ["airflow_provider_oss_resume.hooks.oss"]}],
        "operators": [{"integration-name": NAME, "python-modules": OPERATORS}],
        "sensors": [{"integration-name": NAME, "python-modules": ["airflow_provider_oss_resume.sensors.object"]}],
        "triggers": [{"integration-name": NAME, "python-modules": ["airflow_provider_oss_resume.triggers.object"]}],
        "filesystems": ["airflow_provider_oss_resume.filesystem.oss"],
        "transfers": TRANSFERS,
        "asset-uris": ASSET_URIS,
        "dataset-uris": ASSET_URIS,  # the name before Airflow 3
        "task-decorators": [
            {"name": "oss_upload", "class-name": "airflow_provider_oss_resume.decorators.upload.oss_upload_task"}
        ],
        "extra-links": ["airflow_provider_oss_resume.operators.links.OSSObjectLink"],
        "config": CONFIG,
        "connection-types": [CONNECTION_TYPE_INFO],
    }
