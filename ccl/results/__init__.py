"""Results of the stages, read in one place, and the parts that tables and figures of them are made of."""
