"""What signals as functions are worth: other bit depths and other resolutions than those that were coded."""
