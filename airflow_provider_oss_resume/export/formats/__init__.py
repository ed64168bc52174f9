"""How rows become the bytes of an object."""
