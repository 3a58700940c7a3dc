"""What this computer is and can do: features, caches, cores, memory, threading layer, measured limits."""
