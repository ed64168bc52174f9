"""The operations of OSS. What they have in common: a ``Call`` goes in, a ``Reply`` comes out."""
