"""The older name of `hub.load_state_dict_from_url`. Read next: `onegraph/hub.py`."""

from __future__ import annotations

from onegraph.hub import load_state_dict_from_url

__all__ = ["load_url"]

load_url = load_state_dict_from_url
