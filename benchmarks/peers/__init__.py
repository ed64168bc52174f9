"""One module for each contender, with ``prepare(work)``: it imports and connects nothing, and returns what to time."""
