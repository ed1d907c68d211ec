"""The compiler's passes. `pipeline.py` is the ordered list; each pass has its own file. Start there."""
