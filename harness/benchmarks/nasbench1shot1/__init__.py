"""NAS-Bench-1Shot1 (Zela, Siems and Hutter, ICLR 2020): three spaces of NAS-Bench-101 cells, supernet, table."""
