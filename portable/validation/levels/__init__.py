"""The levels of agreement: each module turns finished runs into records (validation.verdicts) and one verdict
a backend.
"""
