"""What watches over the device itself: signs of life of its threads, the table of faults, and a safe end."""
