"""Torch modules that hold every candidate network of a space; they import spaces only."""
