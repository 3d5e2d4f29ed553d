"""Our own Facebook and X on loopback: what they keep is the truth that demo, training and tests are judged by."""
