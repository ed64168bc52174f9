"""Read and check the rendered arguments of tasks."""
