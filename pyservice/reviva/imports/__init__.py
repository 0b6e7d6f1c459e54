"""History from files: web server logs and NDJSON."""
