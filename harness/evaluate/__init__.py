"""The training loops, once for all methods."""
