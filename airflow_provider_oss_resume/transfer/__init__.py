"""Send the parts of one object over many connections."""
