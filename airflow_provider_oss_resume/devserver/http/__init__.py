"""Requests and replies of the dev server."""
