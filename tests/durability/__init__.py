"""What is never lost: kills, full disks, two writers, going on from a checkpoint, long runs."""
