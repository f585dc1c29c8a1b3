apply
plan -target module.part
