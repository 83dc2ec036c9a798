"""Training: one step, the loop around it, and the state that lets a stopped run continue."""
