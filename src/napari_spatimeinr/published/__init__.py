"""The published method, whole: a second one beside ours, which knows nothing of it."""
