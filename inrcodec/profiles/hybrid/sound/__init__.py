"""Sound in the profile `hybrid`: the encoder's choices, the plan in section HYBR, and the coding of a tile."""
