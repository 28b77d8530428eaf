"""What assets are handed: the warehouse, dbt."""
