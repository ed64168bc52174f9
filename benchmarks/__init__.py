"""How fast and how dear an upload is, against the official clients and against the bare wire.

``python -m benchmarks`` measures in paired runs: within one round every contender
does the same work once, in an order that turns round from one round to the next,
each in a process of its own against a fresh sink. What is compared are ratios
within a round, so a machine that is busy or slow changes all sides alike.
"""
