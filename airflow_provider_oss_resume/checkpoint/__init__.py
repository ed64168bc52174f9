"""Checkpoints: the record of an upload, the store that keeps it between tries, and who owns it."""
