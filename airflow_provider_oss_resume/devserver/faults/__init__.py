"""Planned faults."""
