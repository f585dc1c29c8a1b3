"""AWS's audit events: what they say, whom they name, which resources they touch. Pure."""
