"""A real Airflow beside a local OSS: what `make demo` shows, and what tests/airflow is run on."""
