apply
sed -i 's/"old"/"new"/' main.tf
cat >> main.tf <<'M'

moved {
  from = aws_kms_key.old
  to   = aws_kms_key.new
}
M
plan
