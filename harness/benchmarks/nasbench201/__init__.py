"""NAS-Bench-201 (Dong and Yang, ICLR 2020): space, supernet, tables, simulated cost."""
