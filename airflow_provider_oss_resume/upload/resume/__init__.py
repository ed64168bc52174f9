"""Decide how an upload starts or resumes."""
