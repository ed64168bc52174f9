"""Upload parts that arrive one after another."""
