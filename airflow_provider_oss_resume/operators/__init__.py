"""Tasks that move files to OSS."""
