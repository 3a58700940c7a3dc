"""Studies: where sparsity pays (crossover), what caches do (residency), what a word costs (energy)."""
