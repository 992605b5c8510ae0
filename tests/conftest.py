"""Hypothesis without deadlines, since the first example may compile kernels; and Ctrl-C for the programs that tests start."""

import signal

from hypothesis import settings

settings.register_profile("inrcodec", deadline=None)
settings.load_profile("inrcodec")
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # a shell starts programs in the background so, and they hand it on
    signal.signal(signal.SIGINT, signal.default_int_handler)
