"""Retraining of architectures from scratch: recipes, networks, the training loop, groups of processes."""
