apply
plan -target aws_kms_key.a
