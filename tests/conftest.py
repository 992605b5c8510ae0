"""Hypothesis without deadlines: the first example may compile kernels."""

from hypothesis import settings

settings.register_profile("inrcodec", deadline=None)
settings.load_profile("inrcodec")
