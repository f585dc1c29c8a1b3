# somebody opens all three in the console, and Terraform takes that into its state
apply
edit aws_security_group.sg-1 '"ingress": []' '"ingress": [{"from_port": 22, "to_port": 22, "protocol": "tcp", "cidr_blocks": ["0.0.0.0/0"], "description": "", "ipv6_cidr_blocks": [], "prefix_list_ids": [], "security_groups": [], "self": false}]'
edit aws_security_group.sg-2 '"ingress": []' '"ingress": [{"from_port": 22, "to_port": 22, "protocol": "tcp", "cidr_blocks": ["0.0.0.0/0"], "description": "", "ipv6_cidr_blocks": [], "prefix_list_ids": [], "security_groups": [], "self": false}]'
edit aws_security_group.sg-3 '"ingress": []' '"ingress": [{"from_port": 22, "to_port": 22, "protocol": "tcp", "cidr_blocks": ["0.0.0.0/0"], "description": "", "ipv6_cidr_blocks": [], "prefix_list_ids": [], "security_groups": [], "self": false}]'
terraform apply -refresh-only -auto-approve > log
plan
