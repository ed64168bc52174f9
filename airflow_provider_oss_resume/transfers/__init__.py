"""Transfers between OSS and other systems."""
