"""ONNX: models of other frameworks as graphs, and graphs as ONNX files.

Needs the extra `onnx` (`pip install onegraph[onnx]`). Read next: `README.md`.
"""
