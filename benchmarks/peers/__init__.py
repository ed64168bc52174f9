"""One module for each contender. Its ``prepare(work)`` returns the function to measure."""
