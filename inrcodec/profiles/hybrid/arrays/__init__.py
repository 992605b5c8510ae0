"""Arrays of two axes and more, and floats: `coding` is the way in."""
