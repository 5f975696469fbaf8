"""What every capability stands on, and which knows none of them."""
