# somebody opens a group of which code sets no rules: the plan has it as drift, and changes nothing
apply
edit aws_security_group.sg-1 '"ingress": []' '"ingress": [{"from_port": 22, "to_port": 22, "protocol": "tcp", "cidr_blocks": ["0.0.0.0/0"], "description": "", "ipv6_cidr_blocks": [], "prefix_list_ids": [], "security_groups": [], "self": false}]'
plan
