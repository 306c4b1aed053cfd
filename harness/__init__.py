"""A benchmark harness for weight-sharing neural architecture search."""

__version__ = "0.1.0"
