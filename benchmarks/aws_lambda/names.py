"""The contenders, in the order in which they take turns. docs/performance.md tells what each is."""

BOTTE, USUAL_WAY, USUAL_ENV, USUAL_TUNED, FLOOR = "Botte", "usual", "usual, env", "usual, tuned", "floor"
CONTENDERS = (BOTTE, USUAL_WAY, USUAL_ENV, USUAL_TUNED, FLOOR)
