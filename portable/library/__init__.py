"""The standard cells, receptors and sources, each in the same representation as a user's own equations."""
