"""What is said to whom: the outbox, the words, the ways out, and the 24-hour commitment."""
