"""Network -> Program: the only place that draws random numbers."""
