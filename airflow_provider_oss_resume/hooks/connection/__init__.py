"""Read the fields of an Airflow connection into settings."""
