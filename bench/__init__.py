"""What reviva can do on this machine: ``python -m bench``. README.md tells how to read the numbers."""
