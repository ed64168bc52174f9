"""Begin a resumable upload with an official Python client; the test kills it half-way.

Usage: python begin_upload.py oss2|sdk_v2 ENDPOINT KEY FILE FOLDER
"""

from __future__ import annotations

import sys

PART_SIZE, THREADS, BUCKET = 102_400, 3, "examplebucket"


def oss2_resumable_upload(endpoint: str, key: str, file: str, folder: str) -> None:
    import oss2
    from oss2.credentials import StaticCredentialsProvider

    auth = oss2.ProviderAuthV4(StaticCredentialsProvider("test-id", "test-secret"))
    bucket = oss2.Bucket(auth, endpoint, BUCKET, region="cn-hangzhou")
    store = oss2.ResumableStore(root=folder)
    oss2.resumable_upload(
        bucket, key, file, store=store, multipart_threshold=PART_SIZE, part_size=PART_SIZE, num_threads=THREADS
    )


def sdk_v2_uploader(endpoint: str, key: str, file: str, folder: str) -> None:
    import alibabacloud_oss_v2 as oss

    config = oss.config.load_default()
    config.credentials_provider = oss.credentials.StaticCredentialsProvider("test-id", "test-secret")
    config.region, config.endpoint = "cn-hangzhou", endpoint
    uploader = oss.Client(config).uploader(
        part_size=PART_SIZE, parallel_num=THREADS, enable_checkpoint=True, checkpoint_dir=f"{folder}/"
    )
    uploader.upload_file(oss.PutObjectRequest(BUCKET, key), file)


if __name__ == "__main__":
    begin = {"oss2": oss2_resumable_upload, "sdk_v2": sdk_v2_uploader}[sys.argv[1]]
    begin(*sys.argv[2:])
