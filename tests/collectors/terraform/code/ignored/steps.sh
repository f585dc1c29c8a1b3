# somebody widens trusts whose changes Terraform is told to ignore: the one by a constant is told by it, the other by its drift
apply
for role in constant expression; do edit aws_iam_role.$role '\"Statement\":[]' '\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"sts:AssumeRole\",\"Principal\":\"*\"}]'; done
terraform apply -refresh-only -target aws_iam_role.constant -auto-approve > log
plan
