"""Connections to OSS."""
