"""Studies of implicit representations, a command each."""
