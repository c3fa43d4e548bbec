"""Every option as data: ours, and those of the published method."""
