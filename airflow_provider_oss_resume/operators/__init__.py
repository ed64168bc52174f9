"""Airflow operators: upload, download, copy and delete objects, abort abandoned uploads."""
