"""What tasks read and write, in the words of Airflow's assets and of OpenLineage."""
