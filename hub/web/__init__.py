"""Doors for people: REST and public pages; each route is thin."""
