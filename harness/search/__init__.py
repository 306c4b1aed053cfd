"""The search loops of all kinds of methods, simplex mathematics, optimizers, and what a search costs."""
