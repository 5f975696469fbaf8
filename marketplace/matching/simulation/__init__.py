"""What would become of a market: months of it in seconds, by the rules that the product runs on."""
