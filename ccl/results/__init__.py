"""Reading the results of the stages, and building blocks for tables and figures of them."""
