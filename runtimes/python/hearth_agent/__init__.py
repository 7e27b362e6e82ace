"""The agent of the python runtime: serve.py is where to start."""
