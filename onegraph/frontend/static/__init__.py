"""Define-and-run with TensorFlow 1's names: build a graph, differentiate it, then run it many times in a Session.

A static `Tensor` is a node of the one IR with a name and a `Graph`; there is no second graph type. Users import
`onegraph.static`, which gathers what is here.

Read next: `graph.py` (names, scopes, ordering), `tensor.py` (what a Tensor is and how functions on nodes become
functions on tensors), `variable.py` (state), `program.py` and `session.py` (running).
"""
