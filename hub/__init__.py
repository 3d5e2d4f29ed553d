"""Relais: each post reaches only the territory it is meant for."""

__version__ = "0.1.0"
