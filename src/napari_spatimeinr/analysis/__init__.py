"""What a fit is worth, what it will take, and what is done with one."""
