"""Where a checkpoint lives."""
