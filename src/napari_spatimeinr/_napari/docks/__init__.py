"""What is seen and clicked: the docks, their panels and widgets."""
