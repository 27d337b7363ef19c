"""Working time and the deadlines that are counted in it: pure, and the same for every service."""
