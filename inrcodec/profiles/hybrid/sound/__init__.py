"""Sound in the profile `hybrid`: what the encoder chooses, the plan it writes down, and one tile's coding."""
