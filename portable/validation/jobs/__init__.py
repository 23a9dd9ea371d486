"""Runs of a validation: what is to be run (job), in a process of its own (worker, children), many at a time
(schedule), kept (cache).
"""
