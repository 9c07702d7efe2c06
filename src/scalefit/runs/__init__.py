"""What users hand over: tables and logs, their columns, and the binding of columns to a law's inputs."""
