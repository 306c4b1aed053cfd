"""Figures of one group of runs. Every function returns a figure; `saving` writes the files."""
