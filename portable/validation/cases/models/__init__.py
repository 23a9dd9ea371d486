"""The networks of the cases. Each is the network of the example of that name (examples/, which explains it);
a test holds the two equal.
"""
