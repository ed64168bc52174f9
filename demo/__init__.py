"""A real Airflow and a local OSS, for `make demo` and for tests/airflow."""
