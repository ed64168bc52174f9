"""Limits that OSS enforces (oss-protocol.md section 1.6)."""

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

MIN_PART_SIZE = 100 * KIB
"""Bytes of every part but the last. OSS refuses a smaller one only at Complete (EntityTooSmall)."""

MAX_PART_SIZE = 5 * GIB
MAX_PART_NUMBER = 10_000
MAX_PARTS = MAX_PART_NUMBER

MAX_PUT_SIZE = 5 * GIB
"""Bytes of one PutObject, PostObject or of all AppendObject calls together."""

MAX_COPY_SIZE = 1 * GIB
"""Bytes of one CopyObject; larger objects are copied by UploadPartCopy."""

MAX_KEY_BYTES = 1023
"""UTF-8 bytes of an object key, which must not start with ``/`` or a backslash."""

MAX_LIST = 1000
"""Entries on one page of any listing."""

MAX_DELETE = 1000
"""Keys of one DeleteMultipleObjects."""

MAX_METADATA_BYTES = 8 * KIB
MAX_TAGS = 10
MAX_TAG_KEY = 128
MAX_TAG_VALUE = 256

MAX_CLOCK_SKEW = 900
"""Seconds that the time in a signature may differ from the server's clock."""

MAX_PRESIGN_EXPIRES = 604_800
"""Seconds for which a V4 presigned URL can be valid."""
