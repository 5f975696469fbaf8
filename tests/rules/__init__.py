"""What is true, as tables, without a database."""
