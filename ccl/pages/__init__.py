"""How pages and figures look: templates, figure style, number formats and provenance.  It knows no stage."""
