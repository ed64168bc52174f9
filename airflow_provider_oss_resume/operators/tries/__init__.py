"""What surrounds one try of a task: supervision, reruns, metrics, lineage."""
