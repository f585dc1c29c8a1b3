apply
plan -destroy
