"""Running graphs: plans (compiled graphs), and the cache that finds them again by structure."""
