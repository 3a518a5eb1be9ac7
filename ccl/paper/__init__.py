"""The tables and figures of the CCL paper, for the models, cohorts and encoders of a config."""
