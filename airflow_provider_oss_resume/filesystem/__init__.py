"""``oss://`` as a file system of Airflow and fsspec."""
