"""Speed and memory, measured side by side with what people use today; ``python -m benchmarks --help``.

Nothing here is asserted in a test: see README.md in this folder for what exactly is compared.
"""
