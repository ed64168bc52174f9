"""Where the bytes of an object come from."""
