"""The strict arithmetic that encoder and decoder share. Nothing here imports from the rest of the package.

It is integers, and single IEEE-754 operations (+ − × ÷ √) in a fixed order, so every function gives the same bits on every machine.
Callers pass validated sizes; the kernels do not check.
"""
