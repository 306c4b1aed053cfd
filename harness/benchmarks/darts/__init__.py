"""The DARTS space (Liu, Simonyan and Yang, ICLR 2019): space, supernet, network of a cell, published genotypes."""
