"""The command line.

Exit status: 0 done; 1 the data or a file is at fault (one line on standard error); 2 wrong usage; 128 + n ended by signal n, as 130 by
Ctrl-C. A command's module is imported when the command runs, so that the program answers at once.
"""

from __future__ import annotations

import sys

try:
    import click

    from .. import __version__
    from .group import Commands
except KeyboardInterrupt:  # from here on, `signals` handles it
    sys.stderr.write("inrcodec: interrupted\n")
    raise SystemExit(130) from None

# the module of this folder in which a command is
COMMANDS = {
    "encode": "encode",
    "decode": "decode",
    "info": "inspect",
    "verify": "inspect",
    "render": "render",
    "view": "view",
    "bench": "bench",
    "demo": "demo",
}


@click.group(cls=Commands, modules=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "-V", "--version", prog_name="inrcodec")
def main() -> None:
    """A lossless neural codec for images, sound and arrays.

    \b
    inrcodec encode photo.png              compress to photo.linr, checked
    inrcodec decode photo.linr             the same samples and metadata again
    inrcodec info photo.linr               what it holds, where its bytes go
    inrcodec verify photo.linr photo.png   compare it with its original
    inrcodec render photo.linr -o large.png --scale 2
                                           ask its network between the pixels
    inrcodec view photo.linr               show it in a browser
    inrcodec bench photos                  compare it with other codecs

    Pictures have 1 to 16 bits per sample, sounds 8 to 32, or are floats of 32 or 64. Arrays are of any integer type, bool, or floats of 16
    to 64 bits, with 1 to 4 dimensions. Checkpoints are coded tensor by tensor.
    """
