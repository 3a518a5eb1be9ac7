"""Files: written whole or not at all, their formats, shards of slides, the layouts of other tools, and errors."""
