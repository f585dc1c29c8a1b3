# somebody sets the policy of keys whose module was not given one
apply
for key in key-true key-false; do edit aws_kms_key.$key '"policy": ""' '"policy": "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"kms:*\",\"Resource\":\"*\"}]}"'; done
terraform apply -refresh-only -auto-approve > log
plan
