"""Time, CPU and memory of an upload, compared with the official clients and with a bare loop.

``python -m benchmarks`` measures in rounds. In one round every contender does the same work once, in a process of its
own and against a new sink; the order is reversed after each round. Only ratios within a round are compared, so a busy
or slow machine affects all contenders alike.
"""
