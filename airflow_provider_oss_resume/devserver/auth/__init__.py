"""Signatures, temporary credentials and the fake services that issue them."""
