"""What is kept of whom, how it is protected, for how long, and how it is handed out and erased."""
