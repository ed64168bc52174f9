"""Planned faults: which request gets one, and the values of its fields. ``apply_faults.py`` carries them out."""
