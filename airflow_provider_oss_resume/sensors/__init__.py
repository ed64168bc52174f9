"""Tasks that wait for OSS."""
