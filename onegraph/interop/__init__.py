"""Files of other libraries: read safely, written as they expect. Read next: `README.md`, `download.py`."""
