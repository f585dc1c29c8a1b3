"""`driftline kinds new`: proposes the row of a type of AWS from botocore's service model."""
