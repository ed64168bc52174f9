"""What the tasks of one upload over many workers share: the plan, and how each of them runs its step."""
