"""Client-side encryption, compatible with the official SDKs."""
