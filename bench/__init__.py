"""Benchmarks: each file measures one thing, side by side with the peer where it is installed, and prints ratios."""
