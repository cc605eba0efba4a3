package sqsbus

import (
	"context"
	"net"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// regionOf returns the region of a host of SQS on AWS, "" for any other host. Which
// hosts AWS has in a region, in all its partitions, the SDK knows: it is asked where
// it would send requests for the region that the host seems to name.
func regionOf(host string) string {
	plain := strings.ToLower(host)
	if plain == "queue.amazonaws.com" {
		return "us-east-1"
	}
	if first, rest, _ := strings.Cut(plain, "."); strings.HasPrefix(first, "vpce-") {
		plain = strings.Replace(rest, ".vpce.", ".", 1) // vpce-ID.sqs.REGION.vpce.SUFFIX
	} else if region, suffix, ok := strings.Cut(plain, ".queue."); ok {
		plain = "sqs." + region + "." + suffix // the name of old
	}
	service, rest, _ := strings.Cut(plain, ".")
	region, suffix, _ := strings.Cut(rest, ".")
	if service != "sqs" && service != "sqs-fips" {
		return ""
	}
	for _, dualStack := range []bool{false, true} {
		if awsHost(region, false, dualStack) == "sqs."+region+"."+suffix {
			return region
		}
	}
	return ""
}

// awsHost returns the host to which the SDK sends requests for a region, "" if it
// knows of none.
func awsHost(region string, fips, dualStack bool) string {
	e, err := sqs.NewDefaultEndpointResolverV2().ResolveEndpoint(context.Background(), sqs.EndpointParameters{
		Region: &region, UseFIPS: &fips, UseDualStack: &dualStack,
	})
	if err != nil {
		return ""
	}
	return e.URI.Host
}

// isFIPS reports whether a host of SQS on AWS is one of its FIPS endpoints.
func isFIPS(host string) bool {
	region := regionOf(host)
	return strings.Contains(host, "sqs-fips.") || host == awsHost(region, true, false) || host == awsHost(region, true, true)
}

// isLoopback reports whether a host is this machine.
func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
