"""What each service gets made in the simulated AWS, so that its rows can be recorded: `furnish(moto)`, a module each."""
