"""What a user writes: frozen nodes, no arrays drawn, no simulator."""
