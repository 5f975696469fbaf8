"""What is delivered to run it by: every file held to its own tool, and tried."""
