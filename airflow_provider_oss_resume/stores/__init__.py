"""Checkpoint stores: task state, Variable, XCom, file and memory."""
