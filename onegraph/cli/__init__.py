"""The command `onegraph`: train, evaluate, predict, info, explain. Read `main.py` first, then one file a command."""
