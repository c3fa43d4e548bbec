"""One rendering by many processes, on one machine or many."""
