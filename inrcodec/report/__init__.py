"""A comparison of codecs as one HTML page that needs nothing but itself: `page` makes it, `write` puts it into a file.

The page asks for nothing from anywhere: its Content-Security-Policy lets run one script, one style sheet and pictures that are inside.
"""

from .chosen import Choice
from .document import page, write

__all__ = ["Choice", "page", "write"]
