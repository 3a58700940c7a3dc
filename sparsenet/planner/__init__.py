"""Which kernel and format each layer gets, on which machine, and why."""
