"""Files of places: opened, told in our words, matched to communes, and brought in again and again safely."""
