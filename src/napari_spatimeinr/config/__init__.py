"""Every option as data: ours, and those of the published method; and what a fit says of itself."""
