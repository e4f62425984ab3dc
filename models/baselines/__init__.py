"""Networks that others have used for the same question, for comparison only: nothing here reaches the gate."""
