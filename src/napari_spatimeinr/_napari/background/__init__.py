"""What is computed while the window lives: one thread, its jobs, fits and renderings."""
