# somebody attaches a policy to a role whose attachments are resources of their own: its own attribute shows it
apply
edit aws_iam_role.parts '"managed_policy_arns": []' '"managed_policy_arns": ["arn:aws:iam::aws:policy/AdministratorAccess"]'
terraform apply -refresh-only -auto-approve > log
plan
