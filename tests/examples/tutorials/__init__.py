"""The examples' servers as tutorials write them, in plain FastAPI, for examples/README.md to count lines beside.

Each does what its example's text says, as briefly as a tutorial would; none has a page.
"""
