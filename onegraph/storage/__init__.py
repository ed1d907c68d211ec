"""Bytes on disk: atomic files and folders, the safetensors format. Read next: `README.md`, `atomic.py`."""
