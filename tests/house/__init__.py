"""The house itself: its floors, names, docs, catalogue, and what is shipped."""
