"""How pages and figures look: one style, one environment of templates, and where the numbers came from."""
