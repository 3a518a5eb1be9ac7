"""Files: atomic writing, formats, shards of slides, the layouts of other tools, and errors."""
