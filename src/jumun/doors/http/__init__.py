"""The HTTP door: is it up, is it ready, what does it measure."""
