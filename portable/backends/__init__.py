"""Backends: one folder each, with capabilities.toml, lower.py, execute.py, deviations.toml. They do not
import each other.
"""
