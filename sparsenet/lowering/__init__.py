"""Lower operations to kernel steps: implementations, their choice, their cost, the arena."""
