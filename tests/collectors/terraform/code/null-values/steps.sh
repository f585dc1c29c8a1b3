# whatever code leaves unset, or sets to null by a roundabout way, somebody sets; Terraform takes that into its state
mkdir -p cloud/111111111111
echo '{"description": "imported", "enable_key_rotation": true, "is_enabled": true, "policy": "", "arn": "arn:aws:kms:eu-west-1:111111111111:key/imported"}' > cloud/111111111111/aws_kms_key.imported.json
apply
python3 - <<'P'
import glob, json
rule = {"from_port": 22, "to_port": 22, "protocol": "tcp", "cidr_blocks": ["0.0.0.0/0"], "description": "", "ipv6_cidr_blocks": [],
        "prefix_list_ids": [], "security_groups": [], "self": False}
policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}]}
for name in glob.glob("cloud/*/*.json"):
    data = json.load(open(name))
    if data.get("policy") == "" and "aws_kms_key" in name:
        data["policy"] = json.dumps(policy)
    if "aws_security_group" in name:
        data["ingress"] = [rule]
    if "aws_instance" in name:
        data["metadata_options"] = [{"http_tokens": "optional", "http_endpoint": "enabled", "http_put_response_hop_limit": 9}]
    if "aws_db_instance" in name:
        data |= {"publicly_accessible": True, "instance_class": "other"}
    json.dump(data, open(name, "w"))
P
terraform apply -refresh-only -auto-approve > log
plan
