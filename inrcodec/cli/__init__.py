"""The command line.

Exit status: 0 done; 1 the data or a file is at fault (one line on standard error); 2 wrong usage; 130 interrupted.
"""

from __future__ import annotations

import click

from .. import __version__
from .common import Commands, only_notices
from .decode import decode
from .demo import demo
from .encode import encode
from .inspect import info, verify


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="inrcodec")
def main() -> None:
    """A lossless neural codec for images, sound and other integer arrays.

    \b
    inrcodec encode photo.png -o photo.linr     compress, and check that decoding gives the original
    inrcodec decode photo.linr -o photo.png     restore the same samples and metadata
    inrcodec info photo.linr                    show what the file holds, and where its bytes go
    inrcodec verify photo.linr photo.png        compare the file with its original

    Pictures have 1 to 16 bits per sample, sounds 8 to 32. Arrays are of any integer type or bool, with 1 to 4 dimensions.
    """
    only_notices()


for command in (encode, decode, info, verify, demo):
    main.add_command(command)
