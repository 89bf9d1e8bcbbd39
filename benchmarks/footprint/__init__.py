"""What Botte is, in counts: the deployed package, what a message imports, which calls of AWS it makes, what it costs.

``make footprint`` counts it; twice the same for the same code and the same Python.
"""
