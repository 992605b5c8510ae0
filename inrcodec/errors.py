"""The exceptions a caller may have to handle. Every message is one line, written for the person at the keyboard."""


class InrcodecError(Exception):
    """A file or an input is at fault. The command line prints the message and exits with status 1."""


class FormatError(InrcodecError):
    """The bytes are not a valid .linr file, or a damaged one."""


class UnsupportedError(InrcodecError):
    """The input is valid but holds something this codec does not take: floats, animations, several pages."""
