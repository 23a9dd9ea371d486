"""LEMS as it is written (L1): component types, components, and the tree of instances that a component stands
for.
"""
