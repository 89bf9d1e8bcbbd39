"""A rehearsal of a deployment: an AWS on this machine on which `chalice deploy` runs, and what it deploys runs too."""
