"""The strict arithmetic that encoder and decoder share. Nothing here imports from the rest of the package.

All of it is integers, or single IEEE-754 operations (+ − × ÷ √) in a fixed order, so every function gives the same bits on every machine.
Kernels check neither sizes nor ranges: callers do. SPEC.md defines in words what each kernel computes.
"""
