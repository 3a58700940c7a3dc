"""Networks, and their evaluation by the reference."""
