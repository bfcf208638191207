"""What the core needs from the outside, in its own words."""
