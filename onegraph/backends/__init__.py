"""Backends: each turns a graph into something that runs. `contract.py` says what a backend must do."""
