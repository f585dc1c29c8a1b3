apply
plan -var rotate=true
