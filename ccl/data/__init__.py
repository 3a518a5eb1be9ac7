"""What a network sees of a fold: batches, bags of patches, scaling, survival intervals, the fold's sides."""
