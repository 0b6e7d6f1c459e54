"""ClickHouse: its schema, the client that the pipeline uses, and the embedded server for one machine."""
