"""Without PyTorch there is nothing to compare with, and `opinfo.py` cannot even be imported to look for examples."""

import importlib.util

collect_ignore = [] if importlib.util.find_spec("torch") else ["opinfo.py"]
