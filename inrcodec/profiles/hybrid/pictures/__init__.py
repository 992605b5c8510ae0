"""Pictures in the profile `hybrid`: the encoder's choices, the plan in section HYBR, and the passes over the planes of a tile."""
