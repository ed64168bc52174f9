"""Operators that upload files to OSS."""
