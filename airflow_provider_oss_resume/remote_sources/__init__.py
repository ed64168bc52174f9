"""Sources on other systems, and the choice of a source by its URL."""
