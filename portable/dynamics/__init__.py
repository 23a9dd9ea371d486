"""Component types: expressions, dimensions, the hierarchical form (L1), the flat form (L2), linear
analysis.
"""
