# somebody stops the rotation: a plan that only refreshes has what was read, and says so of code's own value
apply
edit aws_kms_key.a '"enable_key_rotation": true' '"enable_key_rotation": false'
plan -refresh-only
