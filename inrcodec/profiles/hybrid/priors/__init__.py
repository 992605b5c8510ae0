"""The shipped networks, files named by date and units, and `shipped`, which reads them."""
