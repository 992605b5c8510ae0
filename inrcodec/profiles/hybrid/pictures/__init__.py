"""Pictures in the profile `hybrid`: what the encoder chooses, the plan it writes down, and the passes over a tile's planes."""
