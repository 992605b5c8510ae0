"""The strict arithmetic that encoder and decoder share: integers only, nothing imported from the rest of the package.

Every function here gives the same bits on every machine. Callers pass validated sizes; the kernels do not check.
"""
