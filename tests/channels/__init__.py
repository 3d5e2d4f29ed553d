"""One contract asked of every channel, over a sandbox on loopback."""
