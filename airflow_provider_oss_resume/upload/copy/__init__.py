"""Copy an object inside OSS."""
