apply
plan -var broken=true
