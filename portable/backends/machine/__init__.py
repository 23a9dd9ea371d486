"""Machine code of generated functions, without numba: numba takes about a second for a type of cells, most of
it on finding out types that the text has on its face.
"""
