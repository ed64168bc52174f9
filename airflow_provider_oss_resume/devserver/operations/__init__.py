"""The operations of OSS. Each takes a ``Call`` and returns a ``Reply``."""
