"""The examples' servers as tutorials write them, in plain FastAPI: examples/README.md compares the numbers of lines.

Each does what its example does, as briefly as a tutorial would. None has a page.
"""
