"""What computes: devices and their memory, threads."""
