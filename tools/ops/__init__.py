"""What an operator does with a deployed stage, or with the local twin."""
