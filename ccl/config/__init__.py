"""The config: its keys, and the options of commands that are made from them."""
