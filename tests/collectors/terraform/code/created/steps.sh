# nothing is made yet
plan
