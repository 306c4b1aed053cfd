"""The search loop of weight-sharing methods, simplex mathematics and optimizers."""
