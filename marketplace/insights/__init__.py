"""What people who run the marketplace need to see: cases with their history, clocks, reports."""
