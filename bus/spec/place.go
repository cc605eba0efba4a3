package spec

import "strings"

// Partition returns the partition that a region is of, with which its ARNs begin
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html): that of China,
// of AWS GovCloud (US), or the one of all others.
func Partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// IsAccount reports whether s has the form of an account's id: twelve digits.
func IsAccount(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789") == ""
}

// IsRegion reports whether s may be the name of a region: 1 to 64 of a to z, 0 to 9 and
// hyphens.
func IsRegion(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
