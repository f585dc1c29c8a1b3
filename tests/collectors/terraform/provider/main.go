// A stand-in for the AWS provider: the schemas of a few resources as its documentation has them (required, optional,
// computed, blocks, attributes as blocks), and a folder of JSON files in place of a cloud. It calls nobody.
package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/terraform-plugin-sdk/v2/diag"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/hashicorp/terraform-plugin-sdk/v2/plugin"
)

type fields = map[string]*schema.Schema

func text() *schema.Schema    { return &schema.Schema{Type: schema.TypeString} }
func number() *schema.Schema  { return &schema.Schema{Type: schema.TypeInt} }
func boolean() *schema.Schema { return &schema.Schema{Type: schema.TypeBool} }
func texts() *schema.Schema   { return &schema.Schema{Type: schema.TypeSet, Elem: text()} }
func blocks(f fields) *schema.Schema {
	return &schema.Schema{Type: schema.TypeList, Elem: &schema.Resource{Schema: f}}
}
func required(s *schema.Schema) *schema.Schema { s.Required = true; return s }
func optional(s *schema.Schema) *schema.Schema { s.Optional = true; return s }
func computed(s *schema.Schema) *schema.Schema { s.Computed = true; return s }
func both(s *schema.Schema) *schema.Schema     { return optional(computed(s)) }
func secret(s *schema.Schema) *schema.Schema   { s.Sensitive = true; return s }
func or(s *schema.Schema, value any) *schema.Schema {
	s.Default = value
	return optional(s)
}

func rules() *schema.Schema {
	s := both(blocks(fields{
		"cidr_blocks": optional(texts()), "description": or(text(), ""), "from_port": required(number()),
		"ipv6_cidr_blocks": optional(texts()), "prefix_list_ids": optional(texts()), "protocol": required(text()),
		"security_groups": optional(texts()), "self": or(boolean(), false), "to_port": required(number()),
	}))
	s.Type, s.ConfigMode = schema.TypeSet, schema.SchemaConfigModeAttr
	return s
}

// Name of the type: the attribute that names a resource, the service in its ARN, and its schema.
var types = map[string]struct {
	name, arn string
	fields    fields
}{
	"aws_security_group": {"name", "ec2:{region}:{account}:security-group/", fields{
		"name": required(text()), "description": or(text(), "Managed by Terraform"), "vpc_id": both(text()),
		"ingress": rules(), "egress": rules()}},
	"aws_vpc_security_group_ingress_rule": {"security_group_id", "ec2:{region}:{account}:security-group-rule/", fields{
		"security_group_id": required(text()), "cidr_ipv4": optional(text()), "cidr_ipv6": optional(text()),
		"description": optional(text()), "from_port": optional(number()), "to_port": optional(number()),
		"ip_protocol": required(text()), "prefix_list_id": optional(text()), "referenced_security_group_id": optional(text())}},
	"aws_s3_bucket": {"bucket", "s3:::", fields{"bucket": required(text()), "force_destroy": or(boolean(), false)}},
	"aws_s3_bucket_versioning": {"bucket", "", fields{"bucket": required(text()),
		"versioning_configuration": required(blocks(fields{"status": required(text()), "mfa_delete": both(text())}))}},
	"aws_s3_bucket_policy": {"bucket", "", fields{"bucket": required(text()), "policy": required(text())}},
	"aws_s3_bucket_server_side_encryption_configuration": {"bucket", "", fields{"bucket": required(text()),
		"rule": required(blocks(fields{"bucket_key_enabled": optional(boolean()),
			"apply_server_side_encryption_by_default": optional(blocks(fields{
				"sse_algorithm": required(text()), "kms_master_key_id": optional(text())}))}))}},
	"aws_iam_role": {"name", "iam::{account}:role/", fields{"name": required(text()), "assume_role_policy": required(text()),
		"max_session_duration": or(number(), 3600), "managed_policy_arns": both(texts()),
		"inline_policy": both(blocks(fields{"name": optional(text()), "policy": optional(text())}))}},
	"aws_iam_role_policy":                       {"role", "", fields{"role": required(text()), "name": required(text()), "policy": required(text())}},
	"aws_iam_role_policy_attachment":            {"role", "", fields{"role": required(text()), "policy_arn": required(text())}},
	"aws_iam_role_policy_attachments_exclusive": {"role_name", "", fields{"role_name": required(text()), "policy_arns": required(texts())}},
	"aws_kms_key": {"description", "kms:{region}:{account}:key/", fields{"description": required(text()), "policy": both(text()),
		"enable_key_rotation": or(boolean(), false), "is_enabled": or(boolean(), true)}},
	"aws_db_instance": {"identifier", "rds:{region}:{account}:db:", fields{"identifier": required(text()),
		"instance_class": required(text()), "password": secret(optional(text())), "multi_az": both(boolean()),
		"publicly_accessible": or(boolean(), false), "storage_encrypted": optional(boolean()),
		"backup_retention_period": both(number()), "deletion_protection": optional(boolean())}},
	"aws_instance": {"ami", "ec2:{region}:{account}:instance/", fields{"ami": required(text()), "instance_type": both(text()),
		"source_dest_check": or(boolean(), true), "metadata_options": both(blocks(fields{
			"http_tokens": both(text()), "http_endpoint": both(text()), "http_put_response_hop_limit": both(number())}))}},
	"aws_lambda_function": {"function_name", "lambda:{region}:{account}:function:", fields{"function_name": required(text()),
		"role": required(text()), "runtime": optional(text()), "handler": optional(text()), "timeout": or(number(), 3),
		"memory_size": or(number(), 128), "vpc_config": optional(blocks(fields{
			"subnet_ids": required(texts()), "security_group_ids": required(texts())}))}},
}

type cloud struct{ account, partition, region string }

// A resource's file: its attributes, in place of what a cloud answers.
func file(kind string, d *schema.ResourceData, meta any) string {
	return filepath.Join("cloud", meta.(cloud).account, kind+"."+strings.ReplaceAll(d.Id(), "/", "_")+".json")
}

func write(kind, arn, name string, attributes fields) schema.CreateContextFunc {
	return func(_ context.Context, d *schema.ResourceData, meta any) diag.Diagnostics {
		own := meta.(cloud)
		if d.Id() == "" {
			id := d.Get(name).(string)
			for _, more := range []string{"name", "policy_arn", "cidr_ipv4"} {
				if _, there := attributes[more]; there && more != name {
					id += ":" + d.Get(more).(string)
				}
			}
			d.SetId(id)
		}
		out := map[string]any{}
		for key := range attributes {
			value := d.Get(key)
			if set, is := value.(*schema.Set); is {
				value = set.List()
			}
			out[key] = plain(value)
		}
		if arn != "" {
			out["arn"] = strings.NewReplacer("{region}", own.region, "{account}", own.account).Replace("arn:"+own.partition+":"+arn) + d.Id()
			d.Set("arn", out["arn"])
		}
		data, _ := json.MarshalIndent(out, "", " ")
		os.MkdirAll(filepath.Dir(file(kind, d, meta)), 0o755)
		return diag.FromErr(os.WriteFile(file(kind, d, meta), data, 0o644))
	}
}

func plain(value any) any {
	switch one := value.(type) {
	case *schema.Set:
		return plain(one.List())
	case []any:
		out := []any{}
		for _, item := range one {
			out = append(out, plain(item))
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for key, item := range one {
			out[key] = plain(item)
		}
		return out
	}
	return value
}

func read(kind string) schema.ReadContextFunc {
	return func(_ context.Context, d *schema.ResourceData, meta any) diag.Diagnostics {
		return refresh(file(kind, d, meta), d)
	}
}

func refresh(name string, d *schema.ResourceData) diag.Diagnostics {
	data, err := os.ReadFile(name)
	if os.IsNotExist(err) {
		d.SetId("")
		return nil
	}
	values := map[string]any{}
	if err := json.Unmarshal(data, &values); err != nil {
		return diag.FromErr(err)
	}
	for key, value := range values {
		if one, is := value.(float64); is {
			value = int(one)
		}
		if err := d.Set(key, value); err != nil {
			return diag.FromErr(err)
		}
	}
	return nil
}

func main() {
	resources := map[string]*schema.Resource{}
	for name, one := range types {
		all := fields{}
		for key, value := range one.fields {
			all[key] = value
		}
		if one.arn != "" {
			all["arn"] = computed(text())
		}
		resources[name] = &schema.Resource{Schema: all, Importer: &schema.ResourceImporter{StateContext: schema.ImportStatePassthroughContext}, CreateContext: write(name, one.arn, one.name, one.fields), ReadContext: read(name),
			UpdateContext: schema.UpdateContextFunc(write(name, one.arn, one.name, one.fields)),
			DeleteContext: func(_ context.Context, d *schema.ResourceData, meta any) diag.Diagnostics {
				return diag.FromErr(os.Remove(file(name, d, meta)))
			},
		}
	}
	plugin.Serve(&plugin.ServeOpts{ProviderFunc: func() *schema.Provider {
		return &schema.Provider{
			Schema:       fields{"region": optional(text()), "account": or(text(), "111111111111"), "partition": or(text(), "aws")},
			ResourcesMap: resources,
			ConfigureContextFunc: func(_ context.Context, d *schema.ResourceData) (any, diag.Diagnostics) {
				return cloud{d.Get("account").(string), d.Get("partition").(string), d.Get("region").(string)}, nil
			},
		}
	}})
}
