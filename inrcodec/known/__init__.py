"""Small files whose samples are known, by their digests: what a machine must decode before its own files are trusted.

They are conformance vectors of formats/vectors/subset, under the same names.
"""
