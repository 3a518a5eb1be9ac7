"""What was run, read in one place, and the parts that its tables are made of."""
