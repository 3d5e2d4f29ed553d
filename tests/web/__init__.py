"""The web application, over real HTTP on loopback."""
