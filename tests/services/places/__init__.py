"""Files of places."""
